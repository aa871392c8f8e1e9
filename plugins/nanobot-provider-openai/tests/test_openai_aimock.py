"""Against a server that the CopilotKit project wrote, in both dialects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import AssistantMessage, FinishReason, Text, ToolResult, ToolUse, UserMessage
from nanobot.provider import ModelFinish, ModelReasoning
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY, answer, ask, collect

MODEL = "gpt-5.4-mini"


@pytest.fixture(params=["responses", "chat_completions"])
def converse(request: pytest.FixtureRequest, aimock: str, tmp_path: Path) -> Any:
    """Run a check with an open provider."""

    def start(check: Any) -> None:
        async def go() -> None:
            section = {"apiKey": KEY, "apiBase": f"{aimock}/v1", "apiType": request.param}
            async with open_spec(load_spec("providers.openai"), section, tmp_path) as provider:
                await check(provider)

        run(go())

    return start


def test_text_and_reasoning(converse: Any) -> None:
    async def check(provider: Any) -> None:
        events = await collect(provider.stream(ask("hello", model=MODEL)))
        assert answer(events) == "Hi there, this is an answer in several pieces. 🐈"
        assert isinstance(events[-1], ModelFinish) and events[-1].reason is FinishReason.STOP
        events = await collect(provider.stream(ask("think", model=MODEL, reasoning_effort="high")))
        thought = "".join(event.text for event in events if isinstance(event, ModelReasoning))
        assert (thought, answer(events)) == ("Let me see.", "Thought through.")

    converse(check)


def test_a_tool_call_and_its_result(converse: Any) -> None:
    async def check(provider: Any) -> None:
        question = UserMessage(parts=(Text(text="weather"),))
        first = ask(model=MODEL, messages=(question,))
        finish = (await collect(provider.stream(first)))[-1]
        assert isinstance(finish, ModelFinish) and finish.reason is FinishReason.TOOL_CALLS
        assert [(c.name, c.arguments) for c in finish.tool_calls] == [
            ("read_file", '{"path":"ä.txt"}')
        ]
        use = ToolUse(call=finish.tool_calls[0], result=ToolResult.ok("sunny"))
        done = ask(model=MODEL, messages=(question, AssistantMessage(tool_uses=(use,))))
        assert answer(await collect(provider.stream(done))) == "It is sunny."

    converse(check)


def test_a_rate_limit_and_the_models(converse: Any) -> None:
    async def check(provider: Any) -> None:
        with pytest.raises(errors.RateLimitError) as caught:
            await collect(provider.stream(ask("too fast", model=MODEL)))
        assert caught.value.retry_after == 1
        assert "gpt-4o" in [model.id for model in await provider.list_models()]

    converse(check)
