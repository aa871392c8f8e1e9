"""Against a server that the CopilotKit project wrote."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import AssistantMessage, FinishReason, Text, ToolResult, ToolUse, UserMessage
from nanobot.provider import ModelFinish, ModelReasoning
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect


def converse(aimock: str, folder: Path, check: Any) -> None:
    async def go() -> None:
        section = {"apiKey": KEY, "apiBase": aimock}
        async with open_spec(load_spec("providers.anthropic"), section, folder) as provider:
            await check(provider)

    run(go())


def test_text_and_thinking(aimock: str, tmp_path: Path) -> None:
    async def check(provider: Any) -> None:
        events = await collect(provider.stream(ask("hello", model="claude-sonnet-5-5")))
        assert answer(events) == "Hi there, this is an answer in several pieces. 🐈"
        assert isinstance(events[-1], ModelFinish) and events[-1].reason is FinishReason.STOP
        events = await collect(
            provider.stream(ask("think", model="claude-sonnet-5-5", reasoning_effort="high"))
        )
        thought = "".join(event.text for event in events if isinstance(event, ModelReasoning))
        assert (thought, answer(events)) == ("Let me see.", "Thought through.")
        assert events[-1].reasoning[0].opaque["signature"]

    converse(aimock, tmp_path, check)


def test_a_tool_call_and_its_result(aimock: str, tmp_path: Path) -> None:
    async def check(provider: Any) -> None:
        question = UserMessage(parts=(Text(text="weather"),))
        first = ask(model="claude-sonnet-5-5", messages=(question,))
        finish = (await collect(provider.stream(first)))[-1]
        assert isinstance(finish, ModelFinish) and finish.reason is FinishReason.TOOL_CALLS
        assert [(c.name, c.arguments) for c in finish.tool_calls] == [
            ("read_file", '{"path":"ä.txt"}')
        ]
        use = ToolUse(call=finish.tool_calls[0], result=ToolResult.ok("sunny"))
        done = ask(
            model="claude-sonnet-5-5", messages=(question, AssistantMessage(tool_uses=(use,)))
        )
        assert answer(await collect(provider.stream(done))) == "It is sunny."

    converse(aimock, tmp_path, check)


def test_a_rate_limit(aimock: str, tmp_path: Path) -> None:
    async def check(provider: Any) -> None:
        with pytest.raises(errors.RateLimitError) as caught:
            await collect(provider.stream(ask("too fast", model="claude-sonnet-5-5")))
        assert caught.value.retry_after == 1

    converse(aimock, tmp_path, check)
