"""Middleware around turns, model calls and tool calls: order, veto, rewriting."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
from nanobot.engine import Limits
from nanobot.errors import BadRequest, NanobotError, PluginError, ToolError
from nanobot.events import TextDelta, ToolFinished, TurnFinished, TurnStarted
from nanobot.messages import StopReason, ToolResult
from nanobot.middleware import Middleware
from nanobot.provider import ModelText
from nanobot.specs import MiddlewareSpec
from nanobot_testing import run


class Tracing(Middleware):
    """Notes when it is entered and left."""

    def __init__(self, name: str, log: list[str]) -> None:
        self.name = name
        self.log = log

    async def around_turn(self, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        self.log.append(f"+{self.name} turn")
        async for event in proceed():
            yield event
        self.log.append(f"-{self.name} turn")

    async def around_model(self, request: Any, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        self.log.append(f"+{self.name} model")
        async for event in proceed(request):
            yield event
        self.log.append(f"-{self.name} model")

    async def around_tool(self, request: Any, turn: Any, proceed: Any) -> ToolResult:
        self.log.append(f"+{self.name} tool")
        result: ToolResult = await proceed(request)
        self.log.append(f"-{self.name} tool")
        return result


def test_layers_lie_around_each_other_in_their_order(lab: Any, lab_module: Any) -> None:
    log: list[str] = []
    lab.middleware("inner", Tracing("inner", log), order=200)
    lab.middleware("outer", Tracing("outer", log), order=1)
    lab.returns("look")
    lab.model.calls(lab_module.call("look")).says("Done.")
    assert lab.finished(lab.run("hi")).content == "Done."

    def around(what: str) -> list[str]:
        return [f"+outer {what}", f"+inner {what}", f"-inner {what}", f"-outer {what}"]

    assert log == [
        *around("turn")[:2],
        *around("model"),
        *around("tool"),
        *around("model"),
        *around("turn")[2:],
    ]


def test_middleware_that_overrides_nothing_changes_nothing(lab: Any, lab_module: Any) -> None:
    lab.middleware("plain", Middleware())
    lab.returns("look", "seen")
    lab.model.calls(lab_module.call("look")).says("Done.")
    events = lab.run("hi")
    assert lab.finished(events).content == "Done." and lab.model.opened == lab.model.closed == 2


# --- rewriting ---------------------------------------------------------------------------------


class Rewriting(Middleware):
    """Rewrites everything that passes."""

    async def around_turn(self, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        async for event in proceed():
            if isinstance(event, TextDelta):
                event = TextDelta(text=event.text.upper())
            yield event

    async def around_model(self, request: Any, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        async for event in proceed(replace(request, temperature=2.0)):
            yield ModelText(text=event.text + "!") if isinstance(event, ModelText) else event

    async def around_tool(self, request: Any, turn: Any, proceed: Any) -> ToolResult:
        result = await proceed(replace(request, arguments={"n": 42}))
        return ToolResult.ok(f"<{result.text}>")


def test_middleware_may_rewrite(lab: Any, lab_module: Any) -> None:
    lab.middleware("rewriting", Rewriting())
    tool = lab.returns("look", "seen")
    lab.model.calls(lab_module.call("look", '{"n": 1}')).says("done")
    events = lab.run("hi")
    assert lab.shown(events) == "DONE!" and lab.finished(events).content == "done!"
    assert dict(tool.requests[0].arguments) == {"n": 42}
    assert lab.model.requests[0].temperature == 2.0
    assert lab.model.requests[1].messages[-1].tool_uses[0].result.text == "<seen>"


# --- vetoes ------------------------------------------------------------------------------------


class Refusing(Middleware):
    """Raises at one of the three places."""

    def __init__(self, where: str, error: BaseException) -> None:
        self.where = where
        self.error = error

    def around_turn(self, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        self._check("turn")
        return proceed()  # type: ignore[no-any-return]

    def around_model(self, request: Any, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        self._check("model")
        return proceed(request)  # type: ignore[no-any-return]

    async def around_tool(self, request: Any, turn: Any, proceed: Any) -> ToolResult:
        self._check("tool")
        return await proceed(request)  # type: ignore[no-any-return]

    def _check(self, where: str) -> None:
        if where == self.where:
            raise self.error


def test_a_vetoed_turn_is_not_accepted(lab: Any) -> None:
    lab.middleware("no", Refusing("turn", NanobotError("not on Sundays", remedy="Try Monday.")))
    with pytest.raises(NanobotError, match="not on Sundays"):
        lab.run("hi")
    lab.offers["middleware"].clear()
    lab.model.says("ok")
    lab.run("hello")
    assert len(lab.model.requests[0].messages) == 1, "nothing of the refused message was stored"


def test_a_vetoed_model_call_ends_the_turn(lab: Any) -> None:
    lab.middleware("no", Refusing("model", BadRequest("no budget left")))
    end = lab.finished(lab.run("hi"))
    assert end.stop_reason is StopReason.ERROR and end.error == "no budget left"
    assert not lab.model.requests


def test_a_vetoed_tool_call_is_an_error_result(lab: Any, lab_module: Any) -> None:
    lab.middleware("no", Refusing("tool", ToolError("ask the owner", kind="denied")))
    tool = lab.returns("look")
    lab.model.calls(lab_module.call("look")).says("ok")
    events = lab.run("hi")
    (finished,) = lab.of(events, ToolFinished)
    assert finished.result == ToolResult.error("denied", "ask the owner") and not tool.requests
    assert lab.finished(events).tools_used == ()


def test_a_tool_may_be_refused_by_a_result(lab: Any, lab_module: Any) -> None:
    class Dry(Middleware):
        async def around_tool(self, request: Any, turn: Any, proceed: Any) -> ToolResult:
            return ToolResult.error("dry_run", f"would run {request.name}")

    lab.middleware("dry", Dry())
    tool = lab.returns("look")
    lab.model.calls(lab_module.call("look")).says("ok")
    assert lab.of(lab.run("hi"), ToolFinished)[0].result.kind == "dry_run" and not tool.requests


# --- middleware with bugs ----------------------------------------------------------------------


@pytest.mark.parametrize("bug", [KeyError("x"), SystemExit(1)])
def test_a_bug_around_a_tool_is_an_error_result(
    lab: Any, lab_module: Any, bug: BaseException
) -> None:
    lab.middleware("bad", Refusing("tool", bug))
    lab.returns("look")
    lab.model.calls(lab_module.call("look")).says("ok")
    events = lab.run("hi")
    assert lab.of(events, ToolFinished)[0].result.kind == "crashed"
    assert lab.finished(events).content == "ok"


@pytest.mark.parametrize("bug", [KeyError("x"), SystemExit(1)])
def test_a_bug_around_a_model_is_an_error_in_words(lab: Any, bug: BaseException) -> None:
    lab.middleware("bad", Refusing("model", bug))
    end = lab.finished(lab.run("hi"))
    assert end.stop_reason is StopReason.ERROR and "failed unexpectedly" in end.error


@pytest.mark.parametrize("error", [NanobotError("enough"), KeyError("x")])
def test_an_error_in_the_midst_of_a_turn_ends_it_for_all(lab: Any, error: Exception) -> None:
    class Breaks(Middleware):
        async def around_turn(self, turn: Any, proceed: Any) -> AsyncIterator[Any]:
            async for event in proceed():
                if isinstance(event, TextDelta):
                    raise error
                yield event

    lab.middleware("breaks", Breaks())
    lab.model.says("Hello.")
    events = lab.run("hi")
    assert isinstance(events[0], TurnStarted)
    end = lab.finished(events)
    assert end.stop_reason is StopReason.ERROR and str(error.args[0]) in end.error
    assert lab.model.opened == lab.model.closed == 1
    lab.offers["middleware"].clear()
    lab.model.says("ok")
    assert lab.finished(lab.run("again")).content == "ok"


@pytest.mark.parametrize("made", [None, "text", 3])
def test_a_result_of_the_wrong_kind_is_an_error_result(
    lab: Any, lab_module: Any, made: Any
) -> None:
    class Odd(Middleware):
        async def around_tool(self, request: Any, turn: Any, proceed: Any) -> Any:
            return made

    lab.middleware("odd", Odd())
    lab.returns("look")
    lab.model.calls(lab_module.call("look")).says("ok")
    assert lab.of(lab.run("hi"), ToolFinished)[0].result.kind == "crashed"


def test_middleware_that_never_answers_is_held_to_the_time_of_the_turn(
    lab: Any, lab_module: Any
) -> None:
    class Waits(Middleware):
        async def around_tool(self, request: Any, turn: Any, proceed: Any) -> Any:
            await asyncio.Event().wait()

    lab.limits = Limits(turn_timeout_s=0.05)
    lab.middleware("waits", Waits())
    lab.returns("look")
    lab.model.calls(lab_module.call("look"))
    events = lab.run("hi")
    assert lab.of(events, ToolFinished)[0].result.kind == "timeout"
    assert lab.finished(events).stop_reason is StopReason.TIME_LIMIT


class Stalling(Middleware):
    """Waits for ever around a turn, at its beginning or in its midst."""

    def __init__(self, kind: type[Any] | None) -> None:
        self.kind = kind

    async def around_turn(self, turn: Any, proceed: Any) -> AsyncIterator[Any]:
        if self.kind is None:
            await asyncio.Event().wait()
        async for event in proceed():
            yield event
            if isinstance(event, self.kind or TurnStarted):
                await asyncio.Event().wait()


@pytest.fixture
def _short(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobot_engine_standard.agent.TURN_GRACE_S", 0.01)
    lab.limits = Limits(turn_timeout_s=0.05)


@pytest.mark.usefixtures("_short")
def test_middleware_around_a_turn_is_held_to_its_time(lab: Any) -> None:
    lab.middleware("stalling", Stalling(TextDelta))
    lab.model.says("Hello.")
    events = lab.run("hi")
    assert lab.finished(events).stop_reason is StopReason.TIME_LIMIT
    assert lab.shown(events) == "Hello." and lab.model.opened == lab.model.closed == 1
    assert '"type":"end"' in lab.transcript().read_text()


@pytest.mark.usefixtures("_short")
def test_middleware_that_lets_no_turn_begin_is_held_to_it_too(lab: Any) -> None:
    lab.middleware("stalling", Stalling(None))
    with pytest.raises(PluginError, match=r"did not let the turn begin within 0\.05 s"):
        lab.run("hi")
    assert lab.transcript().read_bytes() == b"", "nothing was stored"


def test_streams_are_closed_even_if_middleware_forgets(lab: Any) -> None:
    """`Tracing` closes nothing itself; the connection must not stay open for it."""
    lab.middleware("one", Tracing("one", []))
    lab.middleware("two", Tracing("two", []))
    lab.model.hangs("Hello")

    async def go() -> None:
        async with lab.agent() as agent:
            events = agent.handle(lab.inbound("hi"))
            async for event in events:
                if isinstance(event, TextDelta):
                    break
            await events.aclose()
            assert (lab.model.opened, lab.model.closed) == (1, 1)

    run(go())
    lab.model.says("ok")
    lab.run("again")
    assert lab.model.requests[-1].messages[1].text == "Hello"


def test_middleware_that_can_not_be_opened_refuses_the_instance(lab: Any) -> None:
    """It may be what guards the tools, so nothing runs without it."""

    def explode(config: Any, context: Any) -> Any:
        raise RuntimeError("no policy file")

    lab.offer_factory("middleware", MiddlewareSpec(name="policy", factory=""), explode)
    with pytest.raises(PluginError, match="no policy file"):
        lab.run("hi")


def test_a_turn_may_be_answered_by_middleware_alone(lab: Any) -> None:
    class Canned(Middleware):
        async def around_turn(self, turn: Any, proceed: Any) -> AsyncIterator[Any]:
            yield TurnStarted(turn_id=turn.id, session_key=turn.scope.session_key)
            yield TurnFinished(content="canned", stop_reason=StopReason.COMPLETED, turn_id=turn.id)

    lab.middleware("canned", Canned())
    assert lab.finished(lab.run("hi")).content == "canned" and not lab.model.requests
