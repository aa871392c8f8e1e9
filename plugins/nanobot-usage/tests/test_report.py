"""Sums: the same whatever they are grouped by."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nanobot.errors import ConfigError
from nanobot.messages import BilledTokens, ContextTokens
from nanobot_usage.journal import Call, Cost
from nanobot_usage.report import GROUPINGS, Sum, grouped, sentence, start_of, table, total
from nanobot_usage.segments import shared

COUNT = st.integers(0, 10**12)
WEIGHTS = st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.integers(0, 10**7))


@given(COUNT, WEIGHTS)
def test_shares_sum_up(whole: int, weights: dict[str, int]) -> None:
    parts = shared(whole, weights)
    assert sum(parts.values()) == whole
    assert all(part >= 0 for part in parts.values())
    if sum(weights.values()):
        for name, part in parts.items():
            assert abs(part - whole * weights[name] / sum(weights.values())) < 1 + whole / 10**12


@st.composite
def calls(draw: Any) -> Call:
    word = st.sampled_from("abc")
    tokens = draw(COUNT)
    return Call(
        at=draw(st.integers(1_700_000_000, 1_800_000_000)),
        turn=draw(word),
        session=draw(word),
        user=draw(word),
        origin=draw(word),
        model=draw(word),
        billed=BilledTokens(input=tokens, output=draw(COUNT), reasoning=draw(COUNT)),
        context=ContextTokens(draw(COUNT)),
        cost=draw(st.none() | st.builds(Cost, input=COUNT, output=COUNT)),
        segments=shared(tokens, draw(WEIGHTS)),
    )


@given(st.lists(calls(), max_size=20))
def test_all_groupings_agree(made: list[Call]) -> None:
    whole = total(made)
    for by in GROUPINGS:
        parts = grouped(made, by, UTC).values()
        summed = sum(parts, Sum())
        assert summed.billed == whole.billed
        assert summed.cost == whole.cost
        if by != "segment":  # a call is part of several segments
            assert summed == whole


def test_what_is_not_known_is_not_called_free(make_call: Callable[..., Call]) -> None:
    priced = make_call(cost=Cost(input=1_500_000_000))
    assert total([make_call()]).money == "unknown"
    assert total([make_call()]).as_json()["cost"] is None
    assert total([make_call(), priced]).money == "$1.50 + 1 call unknown"
    assert total([priced]).money == "$1.50"
    assert total([make_call(cost=Cost())]).money == "$0.00"
    assert sentence(total([priced])) == "1 call, 10 tokens in, 2 out, $1.50"


def test_days_are_the_users(make_call: Callable[..., Call]) -> None:
    late = make_call(at=int(datetime(2026, 1, 1, 23, tzinfo=UTC).timestamp()))
    assert list(grouped([late], "day", UTC)) == ["2026-01-01"]
    assert list(grouped([late], "day", ZoneInfo("Asia/Shanghai"))) == ["2026-01-02"]


def test_the_dear_come_first_and_days_in_order(make_call: Callable[..., Call]) -> None:
    made = [
        make_call(model="cheap", cost=Cost(input=1)),
        make_call(model="dear", cost=Cost(input=9)),
    ]
    assert [row[0] for row in table(grouped(made, "model", UTC), "model")] == [
        "model",
        "dear",
        "cheap",
    ]
    days = [make_call(at=at) for at in (1_767_400_000, 1_767_200_000)]
    shown = [row[0] for row in table(grouped(days, "day", UTC), "day")][1:]
    assert shown == sorted(shown)


def test_times_in_words() -> None:
    now = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)
    assert start_of("today", now) == datetime(2026, 3, 15, tzinfo=UTC)
    assert start_of("month", now) == datetime(2026, 3, 1, tzinfo=UTC)
    assert start_of("7d", now) == datetime(2026, 3, 8, 12, 30, tzinfo=UTC)
    assert start_of("24h", now) == datetime(2026, 3, 14, 12, 30, tzinfo=UTC)
    assert start_of("2026-01-31", now) == datetime(2026, 1, 31, tzinfo=UTC)
    with pytest.raises(ConfigError, match="is no time"):
        start_of("yesteryear", now)
