"""The contract of model providers, run against a scripted server of their dialect."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, aclosing
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot import errors
from nanobot.messages import (
    AssistantMessage,
    FinishReason,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import (
    ModelEvent,
    ModelFinish,
    ModelReasoning,
    ModelRequest,
    ModelText,
    Segment,
)
from nanobot.specs import ProviderSpec, ToolDefinition

from nanobot_testing.contracts.base import PluginContract
from nanobot_testing.host import open_spec, run
from nanobot_testing.servers.dialect import Dialect
from nanobot_testing.servers.wire import Act

KEY = "sk-test-CANARY-0123456789"

READ_FILE = ToolDefinition(
    name="read_file",
    description="Read a text file.",
    parameters={
        "type": "object",
        "properties": {"path": {"type": "string"}},
        "required": ["path"],
    },
)

_SERVERS = {
    "chat": "nanobot_testing.servers.chat:ChatServer",
    "responses": "nanobot_testing.servers.responses:ResponsesServer",
    "converse": "nanobot_testing.servers.converse:ConverseServer",
    "messages": "nanobot_testing.servers.messages:MessagesServer",
}


def ask(text: str = "hi", **changes: Any) -> ModelRequest:
    """Return a request with one user message and one tool."""
    fields: dict[str, Any] = {
        "model": "test-model",
        "system": (Segment(name="identity", text="You are a test."),),
        "messages": (UserMessage(parts=(Text(text=text),)),),
        "tools": (READ_FILE,),
        "max_tokens": 1000,
        **changes,
    }
    return ModelRequest(**fields)


async def collect(events: AsyncIterator[ModelEvent]) -> list[ModelEvent]:
    """Read a stream to its end."""
    return [event async for event in events]


def answer(events: list[ModelEvent]) -> str:
    """Join the text of a stream."""
    return "".join(event.text for event in events if isinstance(event, ModelText))


class ProviderContract(PluginContract):
    """Promises of a provider.

    Attributes:
        dialect: ``chat``, ``responses`` or ``messages``; picks the scripted server.
        model: A model id that the plugin accepts.
        has_reasoning: False for a dialect or vendor that shows no reasoning.
    """

    dialect: ClassVar[str] = "chat"
    model: ClassVar[str] = "test-model"
    has_reasoning: ClassVar[bool] = True

    def _with(
        self,
        spec: ProviderSpec,
        folder: Path,
        check: Callable[[Any, Dialect], Awaitable[None]],
        *,
        config: Mapping[str, object] | None = None,
    ) -> None:
        module, _, name = _SERVERS[self.dialect].partition(":")
        make = getattr(import_module(module), name)

        async def go() -> None:
            async with AsyncExitStack() as stack:
                server = await stack.enter_async_context(make())
                section = {
                    "apiKey": KEY,
                    **self.config,
                    "apiBase": server.base_url,
                    **(config or {}),
                }
                provider = await stack.enter_async_context(
                    open_spec(spec, section, folder, plugin=self.plugin)
                )
                await check(provider, server)

        run(go())

    def _ask(self, text: str = "hi", **changes: Any) -> ModelRequest:
        return ask(text, **{"model": self.model, **changes})

    def test_text_ends_with_exactly_one_finish(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("Hel", "lo ", "wörld 🐈"))
            events = await collect(provider.stream(self._ask()))
            assert answer(events) == "Hello wörld 🐈"
            finishes = [event for event in events if isinstance(event, ModelFinish)]
            assert len(finishes) == 1 and events[-1] is finishes[0]
            assert finishes[0].reason is FinishReason.STOP
            assert finishes[0].usage.calls == 1
            assert finishes[0].usage.billed.input > 0 and finishes[0].usage.billed.output > 0
            assert finishes[0].usage.context > 0

        self._with(spec, tmp_path, check)

    def test_system_prompt_and_words_are_sent(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("ok"))
            await collect(provider.stream(self._ask("a question")))
            sent = json.dumps(server.requests[-1].json, ensure_ascii=False)
            assert "You are a test." in sent and "a question" in sent and "read_file" in sent

        self._with(spec, tmp_path, check)

    def test_tool_calls_are_whole(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            calls = (("read_file", '{"path": "ä.txt"}'), ("read_file", '{"path": "b.txt"}'))
            server.reply(server.tools(*calls, split=3))
            finish = (await collect(provider.stream(self._ask())))[-1]
            assert isinstance(finish, ModelFinish)
            assert finish.reason is FinishReason.TOOL_CALLS
            assert [(call.name, json.loads(call.arguments)) for call in finish.tool_calls] == [
                (name, json.loads(arguments)) for name, arguments in calls
            ]
            assert len({call.id for call in finish.tool_calls}) == 2
            assert all(call.id for call in finish.tool_calls)

        self._with(spec, tmp_path, check)

    def test_tool_results_go_back(self, spec: ProviderSpec, tmp_path: Path) -> None:
        uses = tuple(
            ToolUse(
                call=ToolCall(id=f"call_{n}", name="read_file", arguments=f'{{"path": "{n}"}}'),
                result=ToolResult.ok(f"content {n}"),
            )
            for n in range(2)
        )

        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("done"))
            messages = (
                UserMessage(parts=(Text(text="read both"),)),
                AssistantMessage(text="Reading.", tool_uses=uses),
            )
            await collect(provider.stream(self._ask(messages=messages)))
            results = server.tool_results(server.requests[-1])
            assert sorted(results.values()) == ["content 0", "content 1"]

        self._with(spec, tmp_path, check)

    def test_history_of_others_is_accepted(self, spec: ProviderSpec, tmp_path: Path) -> None:
        """A session may have been held with other vendors: odd ids, broken arguments, no text."""
        use = ToolUse(
            call=ToolCall(id="a|b c/ü" * 20, name="read_file", arguments='{"path": '),
            result=ToolResult.error("bad_arguments", "not JSON"),
        )

        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("done"))
            messages = (
                UserMessage(parts=(Text(text="one"),)),
                AssistantMessage(tool_uses=(use, use)),
                AssistantMessage(text="two"),
                UserMessage(parts=(Text(text="three"),), context="It is noon."),
            )
            await collect(provider.stream(self._ask(messages=messages)))
            results = server.tool_results(server.requests[-1])
            assert len(results) == 2, "two results must go back under two different ids"

        self._with(spec, tmp_path, check)

    def test_reasoning_is_apart_and_goes_back(self, spec: ProviderSpec, tmp_path: Path) -> None:
        if not self.has_reasoning:
            return

        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.thinking(["I ", "think."], "Answer."))
            events = await collect(provider.stream(self._ask()))
            assert answer(events) == "Answer."
            thought = "".join(e.text for e in events if isinstance(e, ModelReasoning))
            assert thought == "I think."
            finish = events[-1]
            assert isinstance(finish, ModelFinish) and finish.reasoning
            server.reply(server.text("ok"))
            messages = (
                UserMessage(parts=(Text(text="one"),)),
                AssistantMessage(text="Answer.", reasoning=finish.reasoning),
                UserMessage(parts=(Text(text="two"),)),
            )
            await collect(provider.stream(self._ask(messages=messages)))

        self._with(spec, tmp_path, check)

    def test_length_is_told(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("cut", finish="length"))
            finish = (await collect(provider.stream(self._ask())))[-1]
            assert isinstance(finish, ModelFinish) and finish.reason is FinishReason.LENGTH

        self._with(spec, tmp_path, check)

    @pytest.mark.parametrize(
        ("case", "expected"),
        [
            ("auth", errors.AuthError),
            ("quota", errors.QuotaError),
            ("rate_limit", errors.RateLimitError),
            ("overload", errors.OverloadError),
            ("context", errors.ContextOverflow),
            ("bad_request", errors.BadRequest),
            ("garbage", errors.ProviderError),
        ],
    )
    def test_failures_are_typed_and_keep_the_key(
        self,
        spec: ProviderSpec,
        tmp_path: Path,
        caplog: pytest.LogCaptureFixture,
        capsys: pytest.CaptureFixture[str],
        case: str,
        expected: type[errors.ProviderError],
    ) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.failure(case, retry_after=7 if case == "rate_limit" else None))
            with pytest.raises(expected) as caught:
                await collect(provider.stream(self._ask()))
            assert len(server.requests) == 1, "retrying is the host's business"
            if case == "rate_limit":
                assert caught.value.retry_after == pytest.approx(7, abs=1.5)
            shown = f"{caught.value!s} {caught.value!r} {provider!r}"
            assert KEY not in shown and "<html" not in shown.lower()

        with caplog.at_level(logging.DEBUG):
            self._with(spec, tmp_path, check)
        output = capsys.readouterr()
        assert KEY not in caplog.text + output.out + output.err

    @pytest.mark.parametrize("act", [Act.RESET, Act.CLOSE])
    def test_a_broken_stream_is_an_error_after_the_text(
        self, spec: ProviderSpec, tmp_path: Path, act: Act
    ) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("part", act))
            seen: list[ModelEvent] = []
            with pytest.raises(errors.ProviderError):
                async for event in provider.stream(self._ask()):
                    seen.append(event)
            assert not any(isinstance(event, ModelFinish) for event in seen)

        self._with(spec, tmp_path, check)

    def test_an_unreachable_server_is_a_transport_error(
        self, spec: ProviderSpec, tmp_path: Path
    ) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            with pytest.raises(errors.TransportError):
                await collect(provider.stream(self._ask()))

        self._with(spec, tmp_path, check, config={"apiBase": "http://127.0.0.1:9"})

    def test_leaving_early_closes_the_connection(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("part", Act.HANG))
            async with aclosing(provider.stream(self._ask())) as events:
                async for _ in events:
                    break
            async with asyncio.timeout(5):
                await server.requests[-1].closed.wait()

        self._with(spec, tmp_path, check)

    def test_cancelling_closes_the_connection(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("part", Act.HANG))
            started = asyncio.Event()

            async def read() -> None:
                async with aclosing(provider.stream(self._ask())) as events:
                    async for _ in events:
                        started.set()

            task = asyncio.create_task(read())
            async with asyncio.timeout(5):
                await started.wait()
                task.cancel()
                await asyncio.wait([task])
                await server.requests[-1].closed.wait()

        self._with(spec, tmp_path, check)

    def test_streams_run_beside_each_other(self, spec: ProviderSpec, tmp_path: Path) -> None:
        async def check(provider: Any, server: Dialect) -> None:
            server.reply(server.text("one", " two"))
            results = await asyncio.gather(
                *(collect(provider.stream(self._ask(f"q{n}"))) for n in range(20))
            )
            assert {answer(events) for events in results} == {"one two"}

        self._with(spec, tmp_path, check)
