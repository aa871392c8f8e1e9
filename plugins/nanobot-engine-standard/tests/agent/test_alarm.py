"""One timer for many waits: it cancels the wait that is too long, and no other."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot_engine_standard.alarm import Alarm
from nanobot_engine_standard.streams import Bounded
from nanobot_testing import run

NOW, SOON, LATE = -1.0, 0.01, 3600.0


async def _held(alarm: Alarm, seconds: float, work: Any) -> Any:
    """Wait for some work at most so long; return "late" if that was not enough."""
    alarm.set(asyncio.get_running_loop().time() + seconds)
    try:
        return await work
    except asyncio.CancelledError:
        if alarm.rang():
            return "late"
        raise
    finally:
        alarm.clear()


async def _at_once() -> str:
    return "done"


async def _soon() -> str:
    await asyncio.sleep(0)
    return "done"


def test_a_wait_that_is_too_long_is_ended() -> None:
    async def go() -> None:
        alarm = Alarm()
        for seconds in (SOON, NOW, SOON):
            assert await _held(alarm, seconds, asyncio.Event().wait()) == "late"
        assert asyncio.current_task().cancelling() == 0  # type: ignore[union-attr]

    run(go())


def test_many_short_waits_take_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        loop = asyncio.get_running_loop()
        made: list[float] = []
        real = loop.call_at
        monkeypatch.setattr(
            loop, "call_at", lambda when, *a: (made.append(when), real(when, *a))[1]
        )
        alarm = Alarm()
        for _ in range(1000):
            assert await _held(alarm, LATE, _soon()) == "done"
        assert len(made) == 1
        alarm.close()

    run(go())


def test_its_time_moves_with_each_wait() -> None:
    async def go() -> None:
        alarm, fired = Alarm(), asyncio.Event()
        assert await _held(alarm, SOON, _at_once()) == "done"
        asyncio.get_running_loop().call_later(5 * SOON, fired.set)
        assert await _held(alarm, LATE, fired.wait()) is True, "the old time is past"
        assert await _held(alarm, SOON, asyncio.Event().wait()) == "late", "an earlier one counts"

    run(go())


def test_between_waits_it_does_nothing() -> None:
    async def go() -> None:
        alarm = Alarm()
        assert await _held(alarm, SOON, _soon()) == "done"
        await asyncio.sleep(5 * SOON)
        assert await _held(alarm, LATE, _soon()) == "done"
        alarm.close()

    run(go())


def test_a_cancellation_of_somebody_else_passes() -> None:
    async def go() -> None:
        alarm = Alarm()
        task = asyncio.create_task(_held(alarm, LATE, asyncio.Event().wait()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        alarm.close()

    run(go())


def test_a_cancellation_at_the_same_time_passes_too() -> None:
    async def go() -> None:
        alarm = Alarm()
        task = asyncio.create_task(_held(alarm, LATE, asyncio.Event().wait()))
        await asyncio.sleep(0)
        alarm._until = NOW
        alarm._ring()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(go())


def test_a_stream_is_held_to_its_time() -> None:
    closed: list[bool] = []

    async def stream() -> Any:
        try:
            yield 1
            await asyncio.Event().wait()
            yield 2
        finally:
            closed.append(True)

    async def go() -> None:
        bounded = Bounded(stream(), asyncio.get_running_loop().time() + SOON, LookupError)
        seen = []
        with pytest.raises(LookupError):
            async for item in bounded:
                seen.append(item)
        await bounded.aclose()
        assert seen == [1] and closed == [True]

    run(go())
