"""Stopping a turn: at once, without leftovers, and so that the next turn works."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from nanobot.errors import SessionBusy
from nanobot.events import TextDelta, ToolStarted, TurnFinished, TurnStarted
from nanobot.messages import StopReason
from nanobot.specs import ToolSpec
from nanobot_testing import run


def _records(lab: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lab.transcript().read_text().splitlines()]


async def _nothing_left() -> None:
    """Check that no task is left but this one."""
    for _ in range(3):
        await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not [task for task in left if "_hold" not in repr(task) and "_run()" not in repr(task)]


def _waits(lab: Any) -> asyncio.Event:
    """Offer a tool that never ends; the event is set once it runs."""
    running = asyncio.Event()

    async def forever(request: Any, turn: Any) -> str:
        running.set()
        await asyncio.Event().wait()
        return ""

    lab.tool("slow", forever, read_only=True)
    lab.tool("slow_write", forever)
    return running


async def _leave(lab: Any, agent: Any, kind: type[Any]) -> None:
    """Leave the events of a turn at the first of a kind."""
    events = agent.handle(lab.inbound("hi"))
    async for event in events:
        if isinstance(event, kind):
            break
    await events.aclose()


def _stopped_well(lab: Any) -> None:
    """Check the transcript, and that the next turn works."""
    records = _records(lab)
    assert records[-1]["type"] == "end" and records[-1]["stop_reason"] == "cancelled"
    lab.model.forget().says("Here.")
    events = lab.run("again")
    assert lab.finished(events).content == "Here." and not lab.notices(events, "recovery")
    lab.check(lab.model.requests[-1].messages)


@pytest.mark.parametrize("kind", [TurnStarted, TextDelta, ToolStarted])
def test_leaving_stops_the_turn(lab: Any, lab_module: Any, kind: type[Any]) -> None:
    async def go() -> None:
        _waits(lab)
        lab.model.calls(lab_module.call("slow"), lab_module.call("slow"), text="Let me see.")
        async with lab.agent() as agent:
            await _leave(lab, agent, kind)
            await _nothing_left()
            assert lab.model.opened == lab.model.closed

    run(go())
    _stopped_well(lab)


async def _in_the_model(lab: Any, lab_module: Any) -> asyncio.Event:
    lab.model.hangs("Let me")
    return lab.model.waiting  # type: ignore[no-any-return]


async def _before_any_text(lab: Any, lab_module: Any) -> asyncio.Event:
    lab.model.hangs()
    return lab.model.waiting  # type: ignore[no-any-return]


async def _in_a_tool(lab: Any, lab_module: Any) -> asyncio.Event:
    running = _waits(lab)
    lab.model.calls(lab_module.call("slow_write"), lab_module.call("slow"))
    return running


async def _in_parallel_tools(lab: Any, lab_module: Any) -> asyncio.Event:
    running = _waits(lab)
    lab.model.calls(lab_module.call("slow"), lab_module.call("slow"))
    return running


@pytest.mark.parametrize("where", [_in_the_model, _before_any_text, _in_a_tool, _in_parallel_tools])
def test_cancelling_stops_the_turn(
    lab: Any,
    lab_module: Any,
    where: Callable[[Any, Any], Coroutine[Any, Any, asyncio.Event]],
) -> None:
    async def go() -> None:
        there = await where(lab, lab_module)
        async with lab.agent() as agent:
            task = asyncio.create_task(lab.ask(agent, "hi"))
            await there.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await _nothing_left()
            assert lab.model.opened == lab.model.closed

    run(go(), seconds=5)
    _stopped_well(lab)


def test_what_was_shown_is_kept(lab: Any) -> None:
    async def go() -> None:
        lab.model.hangs("It is ", "four")
        async with lab.agent() as agent:
            task = asyncio.create_task(lab.ask(agent, "hi"))
            await lab.model.waiting.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(go())
    lab.model.says("ok")
    lab.run("go on")
    assert lab.model.requests[-1].messages[1].text == "It is four"


def test_calls_without_a_result_count_as_interrupted(lab: Any, lab_module: Any) -> None:
    async def go() -> None:
        running = _waits(lab)
        lab.returns("quick", "done")
        lab.model.calls(lab_module.call("quick", id="a"), lab_module.call("slow_write", id="b"))
        async with lab.agent() as agent:
            task = asyncio.create_task(lab.ask(agent, "hi"))
            await running.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    run(go())
    lab.model.says("ok")
    lab.run("go on")
    uses = lab.model.requests[-1].messages[1].tool_uses
    assert [(use.call.id, use.result.kind) for use in uses] == [("a", ""), ("b", "interrupted")]
    assert lab.model.requests[-1].messages[2].text == "[No answer: the user stopped the turn.]"


def test_a_full_disk_does_not_swallow_the_cancellation(
    lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def go() -> None:
        lab.model.hangs("It is")
        async with lab.agent() as agent:
            task = asyncio.create_task(lab.ask(agent, "hi"))
            await lab.model.waiting.wait()
            with monkeypatch.context() as patch:
                patch.setattr("os.write", _full)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task

    run(go())
    lab.model.says("ok")
    events = lab.run("again")
    assert lab.finished(events).content == "ok" and lab.notices(events, "recovery")


def _full(descriptor: int, data: bytes) -> int:
    raise OSError(28, "No space left on device")


def test_a_stopped_turn_lets_go_of_the_session(lab: Any) -> None:
    async def go() -> None:
        lab.model.hangs().says("Me now.")
        async with lab.agent() as agent:
            task = asyncio.create_task(lab.ask(agent, "hi"))
            await lab.model.waiting.wait()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            assert lab.finished(await lab.ask(agent, "again")).content == "Me now."

    run(go())


# --- one turn at a time ------------------------------------------------------------------------


def test_a_second_message_waits_for_the_first_turn(lab: Any, lab_module: Any) -> None:
    async def go() -> None:
        release = asyncio.Event()

        async def first(request: Any) -> AsyncIterator[Any]:
            lab.model.waiting.set()
            await release.wait()
            async for event in lab_module.answer("First.")(request):
                yield event

        lab.model.then(first).says("Second.")
        async with lab.agent() as agent:
            one = asyncio.create_task(lab.ask(agent, "one"))
            await lab.model.waiting.wait()
            two = asyncio.create_task(lab.ask(agent, "two"))
            for _ in range(20):
                await asyncio.sleep(0)
            assert len(lab.model.requests) == 1 and not two.done()
            release.set()
            assert lab.finished(await one).content == "First."
            assert lab.finished(await two).content == "Second."

    run(go(), seconds=5)
    assert len(lab.model.requests[1].messages) == 3, "the second turn saw all of the first"


def test_it_does_not_wait_for_ever(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nanobot_engine_standard.sessions.WAIT_S", 0.01)

    async def go() -> None:
        lab.model.hangs()
        async with lab.agent() as agent:
            one = asyncio.create_task(lab.ask(agent, "one"))
            await lab.model.waiting.wait()
            with pytest.raises(SessionBusy, match="-s"):
                await lab.ask(agent, "two")
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)

    run(go(), seconds=5)
    assert [r["parts"][0]["text"] for r in _records(lab) if r["type"] == "user"] == ["one"]


def test_sessions_do_not_wait_for_each_other(lab: Any) -> None:
    async def go() -> None:
        lab.model.hangs().says("Quick.")
        async with lab.agent() as agent:
            one = asyncio.create_task(lab.ask(agent, "one", session="a"))
            await lab.model.waiting.wait()
            assert lab.finished(await lab.ask(agent, "two", session="b")).content == "Quick."
            one.cancel()
            await asyncio.gather(one, return_exceptions=True)

    run(go(), seconds=5)
    assert not lab.clock.slept


def test_a_stray_cancellation_of_a_plugin_stops_no_turn(lab: Any) -> None:
    """Scopes of a plugin's own library may leak; nobody has stopped this turn."""

    @asynccontextmanager
    async def leaking(config: Any, context: Any) -> AsyncIterator[Any]:
        raise asyncio.CancelledError
        yield

    lab.offer_factory("tools", ToolSpec(name="leaking", factory=""), leaking)
    lab.model.says("Hello.")
    events = lab.run("hi")
    assert lab.finished(events).stop_reason is StopReason.COMPLETED
    assert isinstance(events[-1], TurnFinished)
