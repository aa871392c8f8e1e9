"""Budgets: a call that is not paid for is not made."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from nanobot.events import TurnEvent
from nanobot.messages import BilledTokens, Origin, StopReason
from nanobot.provider import ModelRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.lab import FakeClock, answer, call
from nanobot_usage.budgets import BudgetExceeded, Guard, Meter
from nanobot_usage.config import Budget, BudgetsConfig
from nanobot_usage.journal import Call, Cost, Journal, Warned

Make = Callable[..., Call]


def limit(lab: Any, **budgets: dict[str, Any]) -> None:
    lab.sections["middleware.budgets"] = BudgetsConfig.model_validate({"limits": budgets})
    lab.sections["commands.budgets"] = lab.sections["middleware.budgets"]


def budget(**fields: Any) -> Budget:
    return Budget.model_validate({"tokens": 100, **fields})


def test_a_used_up_budget_stops_the_turn_before_the_call(lab: Any) -> None:
    limit(lab, daily={"tokens": 24})  # two calls of the laboratory's model
    lab.model.says("One.").says("Two.")
    assert lab.finished(lab.run("a")).error == ""
    assert lab.finished(lab.run("b")).error == ""
    end = lab.finished(lab.run("c"))
    assert end.stop_reason is StopReason.ERROR
    assert "The budget “daily” is used up: 24 of 24 tokens used today" in end.error
    assert "it starts anew on 2026-01-03 00:00 UTC" in end.error
    assert "budgets.limits" in end.error
    assert len(lab.model.requests) == 2


def test_it_stops_a_turn_that_runs_on(lab: Any) -> None:
    limit(lab, daily={"tokens": 20})
    lab.returns("look")
    lab.model.always(answer(calls=[call("look")]))
    assert "is used up" in lab.finished(lab.run("go")).error
    assert len(lab.model.requests) == 2


def test_fallbacks_are_not_asked_in_vain(lab: Any) -> None:
    other = lab.provider("other")
    lab.presets[""] = (lab.choice(), lab.choice("other"))
    limit(lab, daily={"tokens": 1})
    lab.model.says("One.")
    lab.run("a")
    events = lab.run("b")
    assert "is used up" in lab.finished(events).error
    assert not other.requests and not lab.notices(events, "fallback")


def test_a_soft_budget_warns_once_a_day_and_stops_nothing(lab: Any) -> None:
    limit(lab, daily={"tokens": 40, "hard": False, "warnAt": 0.5})
    lab.model.always(answer("Hi."))
    assert not lab.notices(lab.run("a"), "warning")
    (told,) = lab.notices(lab.run("b"), "warning")
    assert told.startswith("The budget “daily” is at 60%: 24 of 40 tokens used today")
    for _ in range(3):  # also of new processes
        events = lab.run("c")
        assert not lab.notices(events, "warning") and not lab.finished(events).error
    lab.clock.advance(86_400)
    lab.run("d")
    lab.run("e")
    assert lab.notices(lab.run("f"), "warning") == []
    assert len(lab.model.requests) == 8


def test_a_warning_comes_as_the_turn_begins_when_it_is_due(lab: Any, folder: Path) -> None:
    limit(lab, daily={"tokens": 12, "hard": False})
    lab.model.says("One.")
    first = lab.run("a")
    assert [type(event).__name__ for event in first][-2:] == ["Notice", "TurnFinished"]
    (path,) = folder.glob("*.jsonl")
    kept = [line for line in path.read_text().split("\n") if '"w"' not in line]
    path.write_text("\n".join(kept))
    lab.model.says("Two.")
    assert [type(event).__name__ for event in lab.run("b")][:2] == ["TurnStarted", "Notice"]


def test_origins_have_budgets_of_their_own(lab: Any) -> None:
    limit(lab, beats={"tokens": 12, "origins": ["schedule"]})
    lab.model.always(answer("Hi."))
    lab.run("a", origin=Origin.USER)
    lab.run("b", origin=Origin.USER)
    assert not lab.finished(lab.run("c", origin=Origin.SCHEDULE)).error
    assert "“beats”" in lab.finished(lab.run("d", origin=Origin.SCHEDULE)).error
    assert not lab.finished(lab.run("e", origin=Origin.USER)).error


def test_the_command_shows_them(lab: Any) -> None:
    assert "No budgets" in lab.finished(lab.run("/budgets")).content
    limit(lab, daily={"tokens": 48}, other={"money": 2, "users": ["nobody"]})
    lab.model.says("One.")
    lab.run("a")
    reply = lab.finished(lab.run("/budgets")).content
    assert reply.startswith("- daily: 25%, 12 of 48 tokens used today") and "other" not in reply


# --- the meter -----------------------------------------------------------------------------------


def used(meter: Meter, turn: Any) -> dict[str, int]:
    return {one.key: one.used.tokens for one in meter.standings(turn)}


def test_each_has_a_budget_of_its_own(tmp_path: Path, make_call: Make) -> None:
    journal = Journal(tmp_path)
    for session, user in (("s:1", "test:alice"), ("s:2", "test:alice"), ("s:1", "test:bob")):
        journal.append(make_call(session=session, user=user))
    limits = {
        "all": budget(),
        "user": budget(each="user"),
        "session": budget(each="session"),
        "bob": budget(users=("test:b*",)),
    }
    turn = make_turn(tmp_path)
    turn = replace(turn, scope=replace(turn.scope, session_key="s:1"))
    assert used(Meter(tmp_path, limits, FakeClock()), turn) == {
        "all": 36,
        "user (test:alice)": 24,
        "session (s:1)": 24,
    }


def test_days_and_months_end_by_the_users_clock(tmp_path: Path, make_call: Make) -> None:
    zone, clock = ZoneInfo("Asia/Shanghai"), FakeClock()
    clock.advance(12 * 3600)  # 2026-01-02 23:04:05 there
    limits = {"day": budget(), "month": budget(per="month")}
    meter, journal = Meter(tmp_path, limits, clock), Journal(tmp_path)
    turn = replace(make_turn(tmp_path), now=datetime(2026, 1, 2, 3, tzinfo=zone))
    at = int(clock.now().timestamp())
    journal.append(make_call(at=int(datetime(2025, 12, 31, 23, tzinfo=zone).timestamp())))
    journal.append(make_call(at=int(datetime(2026, 1, 1, 0, tzinfo=zone).timestamp())))
    journal.append(make_call(at=at))
    assert used(meter, turn) == {"day": 12, "month": 24}
    clock.advance(3600)
    assert used(meter, turn) == {"day": 0, "month": 24}
    journal.append(make_call(at=at + 3600))
    assert used(meter, turn) == {"day": 12, "month": 36}
    clock.advance(30 * 86_400)
    assert used(meter, turn) == {"day": 0, "month": 0}
    later = Meter(tmp_path, limits, clock)
    assert used(later, turn) == used(meter, turn)


def test_other_processes_count(tmp_path: Path, make_call: Make) -> None:
    meter, turn = Meter(tmp_path, {"all": budget()}, FakeClock()), make_turn(tmp_path)
    for number in range(1, 4):
        Journal(tmp_path).append(make_call())
        assert used(meter, turn) == {"all": 12 * number}


def test_money_counts_what_is_priced_and_says_what_is_not(tmp_path: Path, make_call: Make) -> None:
    Journal(tmp_path).append(make_call(cost=Cost(input=10**9, output=5 * 10**8)))
    Journal(tmp_path).append(make_call())
    limits = {"purse": Budget.model_validate({"money": 2})}
    (standing,) = Meter(tmp_path, limits, FakeClock()).standings(make_turn(tmp_path))
    assert standing.share == 0.75
    assert "$1.50 of $2.00, 1 call of unknown price used today" in str(standing)


def test_a_warning_of_yesterday_is_over(tmp_path: Path, make_call: Make) -> None:
    clock = FakeClock()
    today = int(clock.now().timestamp())
    meter, journal = Meter(tmp_path, {"all": budget()}, clock), Journal(tmp_path)
    journal.append(make_call(billed=BilledTokens(input=10, output=90)))
    journal.append(Warned(at=today - 86_400, budget="all"))
    (standing,) = meter.standings(make_turn(tmp_path))
    assert meter.needs_warning(standing)
    journal.append(Warned(at=today, budget="all"))
    (standing,) = meter.standings(make_turn(tmp_path))
    assert not meter.needs_warning(standing)


def test_turns_wait_until_the_journal_is_read(tmp_path: Path, make_call: Make) -> None:
    """The first one reads it, in a thread; one that begins meanwhile must not count along."""
    begun, go = threading.Event(), threading.Event()
    counted = []

    class Slow(Meter):
        def count(self, zone: Any) -> None:
            counted.append(zone)
            begun.set()
            assert go.wait(20)
            super().count(zone)

    journal = Journal(tmp_path)
    journal.append(make_call())
    meter = Slow(tmp_path, {"all": budget()}, FakeClock())
    guard = Guard(meter, journal, make_context(load_spec("middleware.budgets"), tmp_path))
    turn = make_turn(tmp_path)

    async def nothing() -> AsyncIterator[TurnEvent]:
        for event in ():
            yield event

    async def consume() -> None:
        assert [event async for event in guard.around_turn(turn, nothing)] == []

    async def check() -> None:
        first = asyncio.create_task(consume())
        await asyncio.to_thread(begun.wait, 20)
        second = asyncio.create_task(consume())
        await asyncio.sleep(0)
        assert len(counted) == 1 and not second.done()
        go.set()
        await asyncio.gather(first, second)

    run(check())
    assert len(counted) == 1
    assert used(meter, turn) == {"all": 12}


def test_a_budget_needs_an_amount() -> None:
    with pytest.raises(ValueError, match="needs tokens or money"):
        Budget.model_validate({"per": "day"})


def test_the_refusal_has_a_class_of_its_own(tmp_path: Path, make_call: Make) -> None:
    journal = Journal(tmp_path)
    journal.append(make_call(billed=BilledTokens(input=10, output=90)))
    spec = load_spec("middleware.budgets")
    meter = Meter(tmp_path, {"all": budget()}, FakeClock())
    guard = Guard(meter, journal, make_context(spec, tmp_path))
    request = ModelRequest(model="m", system=(), messages=())

    async def check() -> None:
        with pytest.raises(BudgetExceeded, match="“all” is used up"):
            guard.around_model(request, make_turn(tmp_path), lambda request: refuse())

    def refuse() -> Any:
        raise AssertionError("the model was asked")

    run(check())
