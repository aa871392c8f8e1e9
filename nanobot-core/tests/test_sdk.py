"""The Python SDK: nanobot inside one's own program."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import nanobot
import pytest
from nanobot import Nanobot, RunResult, StreamEvent, hookimpl
from nanobot.agent import AgentHook, AgentHookContext
from nanobot.errors import AuthError, ConfigError
from nanobot.events import TextDelta, TurnFinished
from nanobot.messages import Image, Text, ToolResult, text_of
from nanobot.specs import ProviderSpec, ToolDefinition, ToolSpec
from nanobot_testing import run

NAME = "nanobot_sdk_lab"


class Bench:
    """An installed provider and tool, and a configuration that uses them."""

    def __init__(self, folder: Path, lab_module: Any) -> None:
        self.folder = folder
        self.lab = lab_module
        self.model = lab_module.Model()
        self.opened = self.closed = 0
        self.path = folder / "data" / "config.json"
        self.document: dict[str, Any] = {
            "agents": {"defaults": {"workspace": str(folder / "work"), "provider": "sdk_lab"}}
        }
        self.write()

    def write(self) -> None:
        self.path.parent.mkdir(exist_ok=True)
        self.path.write_text(json.dumps(self.document))
        self.path.chmod(0o600)

    def bot(self, **options: Any) -> Nanobot:
        return Nanobot.from_config(self.path, **options)

    def module(self) -> ModuleType:
        """Return the plugin's module."""
        made = ModuleType(NAME)
        tool = ToolDefinition(name="look", description="Look.", parameters={"type": "object"})
        provider = ProviderSpec(
            name="sdk_lab", factory=f"{NAME}:open_provider", default_model="m-1", needs_key=False
        )

        @asynccontextmanager
        async def open_provider(config: Any, context: Any) -> AsyncIterator[Any]:
            self.opened += 1
            yield self.model
            self.closed += 1

        @asynccontextmanager
        async def open_tool(config: Any, context: Any) -> AsyncIterator[Any]:
            async def look(request: Any, turn: Any) -> ToolResult:
                if request.arguments.get("fail"):
                    return ToolResult.error("not_found", "nothing there")
                return ToolResult.ok("seen")

            yield self.lab.FakeTool(look)

        for hook, offered in (
            ("nanobot_providers", provider),
            (
                "nanobot_tools",
                ToolSpec(name="sdk_lab", factory=f"{NAME}:open_tool", tools=(tool,)),
            ),
        ):
            function = _offering(offered)
            function.__name__ = hook
            setattr(made, hook, hookimpl(function))
        made.open_provider = open_provider  # type: ignore[attr-defined]
        made.open_tool = open_tool  # type: ignore[attr-defined]
        return made


def _offering(spec: Any) -> Any:
    return lambda: [spec]


@pytest.fixture
def bench(tmp_path: Path, lab_module: Any, dist: Any, monkeypatch: pytest.MonkeyPatch) -> Bench:
    made = Bench(tmp_path, lab_module)
    text = f"[nanobot.v1.providers]\nsdk_lab = {NAME}\n[nanobot.v1.tools]\nsdk_lab = {NAME}\n"
    monkeypatch.syspath_prepend(str(dist("nanobot-sdk-lab", text)))
    monkeypatch.setitem(sys.modules, NAME, made.module())
    monkeypatch.setenv("NANOBOT_PLUGINS", "providers.sdk_lab,tools.sdk_lab")
    return made


# --- from_config -------------------------------------------------------------------------------


def test_the_public_names() -> None:
    assert {"Nanobot", "RunResult", "StreamEvent"} <= set(nanobot.__all__)
    with pytest.raises(AttributeError):
        nanobot.no_such_name  # noqa: B018


def test_a_configuration_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json"):
        Nanobot.from_config(tmp_path / "nowhere.json")
    with pytest.raises(FileNotFoundError):
        Nanobot.from_config(str(tmp_path / "nowhere.json"))


def test_the_default_configuration_need_not_exist(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    bot = Nanobot.from_config()
    assert bot.instance.config == tmp_path / ".nanobot" / "config.json"
    assert bot.instance.workspace == tmp_path / ".nanobot" / "workspace"
    assert list(tmp_path.iterdir()) == [], "nothing is made before it is used"


def test_a_configuration_that_can_not_be_used(bench: Bench) -> None:
    bench.path.write_text("{")
    with pytest.raises(ConfigError):
        bench.bot()


def test_model_or_preset() -> None:
    with pytest.raises(ValueError, match="not both"):
        Nanobot.from_config(model="m", model_preset="p")


def test_overrides(bench: Bench) -> None:
    bench.document["modelPresets"] = {"fast": {"model": "m-fast", "provider": "sdk_lab"}}
    bench.write()
    other = bench.folder / "other"
    bench.model.always(bench.lab.answer("ok"))

    async def go() -> None:
        for options in ({}, {"workspace": str(other)}, {"model_preset": "fast"}):
            async with bench.bot(**options) as bot:
                await bot.run("hi")
        async with bench.bot(model="sdk_lab/m-9") as bot:
            await bot.run("hi")
            await bot.run("hi", model_preset="fast")

    run(go())
    models = [request.model for request in bench.model.requests]
    assert models == ["m-1", "m-1", "m-fast", "m-9", "m-fast"]
    assert list((other / "sessions").glob("*.jsonl"))


# --- run ---------------------------------------------------------------------------------------


def test_run(bench: Bench) -> None:
    call = bench.lab.call("look")
    bench.model.calls(call, text="Looking.").says("All fine.", model="m-1-2026")

    async def go() -> RunResult:
        async with bench.bot() as bot:
            assert bot.name == "nanobot" and bot.icon == "🐈" and bot.notices == ()
            assert {spec.name for spec in bot.commands()} >= {"help", "new", "status"}
            return await bot.run("look")

    result = run(go())
    assert result.content == "All fine." and result.tools_used == ("look",)
    assert (result.stop_reason, result.error, result.model) == ("completed", "", "m-1-2026")
    assert result.usage.calls == 2 and result.usage.billed.input == 20
    assert (bench.opened, bench.closed) == (1, 1)


def test_run_without_a_block(bench: Bench) -> None:
    async def go() -> None:
        bot = bench.bot()
        assert bot.commands() == () and bot.notices == ()
        bench.model.says("one").says("two")
        assert (await bot.run("1")).content == "one"
        await bot.aclose()
        assert (bench.opened, bench.closed) == (1, 1)
        assert (await bot.run("2")).content == "two", "it can be used again"
        await bot.aclose()
        await bot.aclose()

    run(go())
    assert (bench.opened, bench.closed) == (2, 2)
    assert len(bench.model.requests[-1].messages) == 3, "the session went on"


def test_the_first_runs_may_overlap(bench: Bench) -> None:
    bench.model.always(bench.lab.answer("ok"))

    async def go() -> None:
        bot = bench.bot()
        await asyncio.gather(*(bot.run("hi", session_key=f"s{n}") for n in range(5)))
        await bot.aclose()

    run(go())
    assert (bench.opened, bench.closed) == (1, 1)


def test_a_turn_that_fails_is_a_result(bench: Bench) -> None:
    bench.model.fails(AuthError("the key is wrong", remedy="Set another."), "So far")

    async def go() -> RunResult:
        async with bench.bot() as bot:
            return await bot.run("hi")

    result = run(go())
    assert (result.content, result.stop_reason) == ("So far", "error")
    assert result.error == "the key is wrong\nSet another."


def test_a_message_may_have_parts(bench: Bench) -> None:
    bench.model.says("A cat.")
    picture = Image(data=b"png", media_type="image/png")

    async def go() -> None:
        async with bench.bot() as bot:
            await bot.run([Text(text="what?"), picture])

    run(go())
    assert bench.model.requests[0].messages[0].parts == (Text(text="what?"), picture)


def test_slash_commands_work_here_too(bench: Bench) -> None:
    async def go() -> RunResult:
        async with bench.bot() as bot:
            return await bot.run("/help")

    result = run(go())
    assert "/new" in result.content and result.stop_reason == "command"


def test_an_unknown_preset_is_an_error(bench: Bench) -> None:
    async def go() -> None:
        async with bench.bot() as bot:
            with pytest.raises(ConfigError, match="no model preset 'slow'"):
                await bot.run("hi", model_preset="slow")

    run(go())


def test_hooks(bench: Bench) -> None:
    log: list[str] = []

    class Shouts(AgentHook):
        def wants_streaming(self) -> bool:
            return True

        async def on_stream(self, context: AgentHookContext, delta: str) -> None:
            log.append(delta)

        async def before_execute_tools(self, context: AgentHookContext) -> None:
            log.extend(call.name for call in context.tool_calls)

        def finalize_content(self, context: AgentHookContext, content: str | None) -> str | None:
            return (content or "").upper()

    bench.model.calls(bench.lab.call("look"), text="Hm. ").says("fine")

    async def go() -> RunResult:
        async with bench.bot() as bot:
            return await bot.run("hi", hooks=[Shouts()])

    assert run(go()).content == "FINE" and log == ["Hm. ", "look", "fine"]


def test_no_hooks_is_fine(bench: Bench) -> None:
    bench.model.says("ok")

    async def go() -> RunResult:
        async with bench.bot() as bot:
            return await bot.run("hi", hooks=None)

    assert run(go()).content == "ok"


# --- stream ------------------------------------------------------------------------------------


async def _stream(bench: Bench, message: str = "hi") -> list[StreamEvent]:
    async with bench.bot() as bot:
        return [event async for event in bot.stream(message)]


def test_the_order_of_a_stream(bench: Bench) -> None:
    bad = bench.lab.call("look", '{"fail": true}', id="c1")
    good = bench.lab.call("look", id="c2")
    bench.model.calls(bad, good, text="Look", reasoning=["Hm."]).says("All ", "fine.")
    events = run(_stream(bench))
    assert [(e.type, e.delta or e.content) for e in events] == [
        ("run.started", ""),
        ("reasoning.delta", "Hm."),
        ("text.delta", "Look"),
        ("text.completed", "Look"),
        ("tool.started", ""),
        ("tool.failed", "nothing there"),
        ("tool.started", ""),
        ("tool.completed", "seen"),
        ("text.delta", "All "),
        ("text.delta", "fine."),
        ("text.completed", "All fine."),
        ("run.completed", "All fine."),
    ]
    assert [e.resuming for e in events if e.type == "text.completed"] == [True, False]
    failed = events[5]
    assert (failed.name, failed.tool_call_id, failed.error) == ("look", "c1", "not_found")
    assert dict(events[4].arguments) == {"fail": True}
    assert events[-1].result and events[-1].result.tools_used == ("look",)


def test_a_stream_that_fails(bench: Bench) -> None:
    bench.model.fails(AuthError("the key is wrong"))
    events = run(_stream(bench))
    assert [event.type for event in events] == ["run.started", "run.failed"]
    assert events[-1].error == "the key is wrong"
    assert events[-1].result and events[-1].result.stop_reason == "error"


def test_a_command_is_streamed_too(bench: Bench) -> None:
    events = run(_stream(bench, "/new"))
    assert [event.type for event in events] == ["run.started", "text.delta", "run.completed"]


def test_leaving_early_stops_the_turn(bench: Bench) -> None:
    async def go() -> None:
        bench.model.hangs("It is")
        async with bench.bot() as bot:
            stream = bot.stream("hi")
            async for event in stream:
                if event.type == "text.delta":
                    break
            await stream.aclose()  # type: ignore[attr-defined]
            assert (bench.model.opened, bench.model.closed) == (1, 1)
            bench.model.says("Four.")
            assert (await bot.run("go on")).content == "Four."

    run(go())
    sent = bench.model.requests[-1].messages
    assert [text_of(m.parts) if hasattr(m, "parts") else m.text for m in sent] == [
        "hi",
        "It is",
        "go on",
    ]


def test_cancelling_a_run(bench: Bench) -> None:
    async def go() -> None:
        bench.model.hangs().says("Here.")
        async with bench.bot() as bot:
            task = asyncio.create_task(bot.run("hi"))
            await bench.model.waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await bot.run("again")).content == "Here."

    run(go())


def test_events_tell_everything(bench: Bench) -> None:
    bench.model.says("ok")

    async def go() -> list[Any]:
        async with bench.bot() as bot:
            return [event async for event in bot.events("hi", session_key="s", sender_id="bob")]

    events = run(go())
    assert isinstance(events[-1], TurnFinished) and isinstance(events[1], TextDelta)
    assert events[0].session_key == "s"


# --- sessions ----------------------------------------------------------------------------------


def test_two_sessions_at_once_do_not_mix(bench: Bench) -> None:
    """Both are in the midst of their answers at the same time."""

    async def go() -> list[list[str]]:
        both = asyncio.Barrier(2)

        async def step(request: Any) -> AsyncIterator[Any]:
            name = text_of(request.messages[-1].parts)
            async for event in bench.lab.answer(*(f"{name}{n} " for n in range(3)))(request):
                await both.wait()
                yield event

        bench.model.always(step)

        async def read(bot: Nanobot, name: str) -> list[str]:
            return [
                event.delta
                async for event in bot.stream(name, session_key=name)
                if event.type == "text.delta"
            ]

        async with bench.bot() as bot:
            return await asyncio.gather(read(bot, "a"), read(bot, "b"))

    assert run(go(), seconds=5) == [["a0 ", "a1 ", "a2 "], ["b0 ", "b1 ", "b2 "]]
    for request in bench.model.requests:
        assert len(request.messages) == 1, "neither saw the other"


def test_a_session_goes_on_in_another_program(bench: Bench) -> None:
    bench.model.says("Hello Bo.").says("You are Bo.")

    async def go(message: str) -> RunResult:
        async with bench.bot() as bot:
            return await bot.run(message)

    run(go("I am Bo."))
    assert run(go("Who am I?")).content == "You are Bo."
    assert len(bench.model.requests[-1].messages) == 3


def test_keys_of_sessions_are_free(bench: Bench) -> None:
    bench.model.always(bench.lab.answer("ok"))

    async def go() -> None:
        async with bench.bot() as bot:
            for key in ("../../x", "", "a\x00b", "ü" * 500):
                assert (await bot.run("hi", session_key=key)).content == "ok"

    run(go())
    assert len(list((bench.folder / "work" / "sessions").glob("*.jsonl"))) == 4
