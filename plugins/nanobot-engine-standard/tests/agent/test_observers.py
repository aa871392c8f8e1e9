"""Observers watch beside the turn: slow or failing ones harm nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot.events import TextDelta, TurnFinished, TurnStarted
from nanobot.messages import StopReason
from nanobot.specs import ObserverSpec
from nanobot_engine_standard.observing import MAX_FAILURES
from nanobot_testing import run


class Watcher:
    """Takes note of everything."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    async def observe(self, event: Any, turn: Any) -> None:
        self.seen.append((event, turn))


class Failing(Watcher):
    """Takes note, then fails."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error

    async def observe(self, event: Any, turn: Any) -> None:
        await super().observe(event, turn)
        raise self.error


def test_an_observer_sees_what_the_user_sees(lab: Any) -> None:
    watcher = lab.observer("watcher", Watcher())
    lab.model.says("Hello", ".")
    events = lab.run("hi")
    assert [event for event, _ in watcher.seen] == events
    (turn,) = {id(turn): turn for _, turn in watcher.seen}.values()
    assert turn.query == "hi" and turn.id == events[0].turn_id


def test_closing_lets_an_observer_take_what_is_queued(lab: Any) -> None:
    class Unhurried(Watcher):
        async def observe(self, event: Any, turn: Any) -> None:
            for _ in range(20):
                await asyncio.sleep(0)
            await super().observe(event, turn)

    unhurried = lab.observer("unhurried", Unhurried())
    lab.model.says(*"0123456789")
    events = lab.run("hi")
    assert [event for event, _ in unhurried.seen] == events


def test_commands_are_seen_too(lab: Any) -> None:
    watcher = lab.observer("watcher", Watcher())
    events = lab.run("/help")
    assert [event for event, _ in watcher.seen] == events


@pytest.mark.parametrize("error", [ValueError("bug"), SystemExit(1)])
def test_a_failing_observer_is_dropped_after_five_failures(
    lab: Any, capsys: pytest.CaptureFixture[str], error: BaseException
) -> None:
    failing = lab.observer("failing", Failing(error))
    watcher = lab.observer("watcher", Watcher())
    lab.model.says(*"0123456789")
    events = lab.run("hi")
    assert lab.finished(events).content == "0123456789"
    assert len(failing.seen) == MAX_FAILURES
    assert [event for event, _ in watcher.seen] == events
    logged = capsys.readouterr().err
    assert logged.count("observer_failed") == MAX_FAILURES and "Traceback" in logged
    assert logged.count("observer_dropped") == 1


def test_a_dropped_observer_stays_dropped(lab: Any) -> None:
    failing = lab.observer("failing", Failing(ValueError("bug")))
    lab.model.says(*"0123456789").says("again")
    lab.run("hi", "hi")
    assert len(failing.seen) == MAX_FAILURES


def test_a_slow_observer_delays_nobody(lab: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never comes back from the first event, yet turn and closing end."""
    monkeypatch.setattr("nanobot_engine_standard.observing.FLUSH_S", 0.01)
    monkeypatch.setattr("nanobot_engine_standard.observing.QUEUE_SIZE", 3)

    class Stuck(Watcher):
        async def observe(self, event: Any, turn: Any) -> None:
            await super().observe(event, turn)
            await asyncio.Event().wait()

    stuck = lab.observer("stuck", Stuck())
    lab.model.says(*"0123456789")
    assert lab.finished(lab.run("hi")).content == "0123456789"
    assert len(stuck.seen) == 1


def test_an_observer_that_can_not_be_opened_is_left_out(lab: Any) -> None:
    def explode(config: Any, context: Any) -> Any:
        raise RuntimeError("no socket")

    lab.offer_factory("observers", ObserverSpec(name="bad", factory=""), explode)
    lab.model.says("ok")
    assert lab.finished(lab.run("hi")).content == "ok"
    assert {str(s.state) for s in lab.host.statuses() if s.entry.name == "bad"} == {"failed"}


def test_observers_learn_that_a_turn_was_stopped(lab: Any) -> None:
    watcher = lab.observer("watcher", Watcher())
    lab.model.hangs("Hel")

    async def go() -> None:
        async with lab.agent() as agent:
            events = agent.handle(lab.inbound("hi"))
            async for event in events:
                if isinstance(event, TextDelta):
                    break
            await events.aclose()

    run(go())
    seen = [event for event, _ in watcher.seen]
    assert isinstance(seen[0], TurnStarted) and isinstance(seen[-1], TurnFinished)
    assert seen[-1].stop_reason is StopReason.CANCELLED
    assert len([event for event in seen if isinstance(event, TurnFinished)]) == 1


def test_leaving_after_the_end_is_no_stop(lab: Any) -> None:
    watcher = lab.observer("watcher", Watcher())
    lab.model.says("Hello.")

    async def go() -> None:
        async with lab.agent() as agent:
            events = agent.handle(lab.inbound("hi"))
            async for event in events:
                if isinstance(event, TurnFinished):
                    break
            await events.aclose()

    run(go())
    ends = [event for event, _ in watcher.seen if isinstance(event, TurnFinished)]
    assert [end.stop_reason for end in ends] == [StopReason.COMPLETED]
