"""Sums over the journal, and how they are shown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, tzinfo

from nanobot.errors import ConfigError
from nanobot.messages import BilledTokens

from nanobot_usage import wording
from nanobot_usage.journal import Call, Cost
from nanobot_usage.segments import shared
from nanobot_usage.wording import dollars

GROUPINGS = ("day", "turn", "session", "user", "origin", "model", "segment")
ANSWER = "answer"
"""The row of what models wrote, in a report by segment."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Sum:
    """What some calls used.

    Args:
        unpriced: How many of the calls have no known price; they are not in `cost`.
        estimated: How many of the calls have tokens that are our estimate.
    """

    calls: int = 0
    billed: BilledTokens = BilledTokens()
    cost: Cost = field(default_factory=Cost)
    unpriced: int = 0
    estimated: int = 0

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            calls=self.calls + other.calls,
            billed=self.billed + other.billed,
            cost=self.cost + other.cost,
            unpriced=self.unpriced + other.unpriced,
            estimated=self.estimated + other.estimated,
        )

    @property
    def money(self) -> str:
        """Say what it cost; what is not known is called unknown."""
        if not self.unpriced:
            return dollars(self.cost.total)
        if self.unpriced == self.calls:
            return "unknown"
        return f"{dollars(self.cost.total)} + {wording.calls(self.unpriced)} unknown"

    def as_json(self) -> dict[str, object]:
        """Return it for programs; `cost` is None when nothing of it is known."""
        known = self.unpriced < self.calls or not self.calls
        return {
            "calls": self.calls,
            "billed": asdict(self.billed),
            "cost": self.cost.total / 10**9 if known else None,
            "unpricedCalls": self.unpriced,
            "estimatedCalls": self.estimated,
        }


def of_call(call: Call) -> Sum:
    """Return what one call used."""
    return Sum(
        calls=1,
        billed=call.billed,
        cost=call.cost or Cost(),
        unpriced=call.cost is None,
        estimated=call.estimated,
    )


def total(calls: Iterable[Call]) -> Sum:
    """Return what all calls used."""
    whole = Sum()
    for call in calls:
        whole += of_call(call)
    return whole


def grouped(calls: Iterable[Call], by: str, zone: tzinfo | None) -> dict[str, Sum]:
    """Return sums by a grouping; tokens and money add up to those of all calls.

    Args:
        by: One of `GROUPINGS`.
        zone: Where days begin.
    """
    sums: dict[str, Sum] = {}
    for call in calls:
        for name, part in _parts(call, by, zone):
            sums[name] = sums.get(name, Sum()) + part
    return sums


def _parts(call: Call, by: str, zone: tzinfo | None) -> Iterable[tuple[str, Sum]]:
    if by == "segment":
        return _segments(call)
    if by == "day":
        return [(f"{datetime.fromtimestamp(call.at, zone):%Y-%m-%d}", of_call(call))]
    return [(str(getattr(call, by)), of_call(call))]


def _segments(call: Call) -> Iterable[tuple[str, Sum]]:
    """Divide a call; what is cached is not told apart, since vendors do not say which part was."""
    cost = call.cost or Cost()
    marks = {"calls": 1, "unpriced": call.cost is None, "estimated": call.estimated}
    money = shared(cost.input, call.segments)
    for name, tokens in call.segments.items():
        spent = Cost(input=money[name])
        yield name, Sum(billed=BilledTokens(input=tokens), cost=spent, **marks)
    answer = BilledTokens(output=call.billed.output, reasoning=call.billed.reasoning)
    yield ANSWER, Sum(billed=answer, cost=Cost(output=cost.output), **marks)


def table(sums: Mapping[str, Sum], by: str) -> list[tuple[str, ...]]:
    """Return a report as rows of cells, the first one its head; days in order, else dear first."""
    rows = sorted(sums.items())
    if by != "day":
        rows.sort(key=lambda row: (-row[1].cost.total, -row[1].billed.input - row[1].billed.output))
    return [
        (by, "calls", "input", "cached", "output", "cost"),
        *((name, *cells(part)) for name, part in rows),
    ]


def cells(part: Sum) -> tuple[str, ...]:
    """Return the cells of a row after its name."""
    billed = part.billed
    return (
        f"{part.calls:,}",
        f"{billed.input:,}",
        f"{billed.cached:,}",
        f"{billed.output:,}",
        part.money,
    )


def sentence(part: Sum) -> str:
    """Say what some calls used."""
    billed = part.billed
    cached = f" ({billed.cached:,} cached)" if billed.cached else ""
    count = wording.calls(part.calls)
    return f"{count}, {billed.input:,} tokens in{cached}, {billed.output:,} out, {part.money}"


def aligned(rows: Sequence[tuple[str, ...]]) -> list[str]:
    """Return rows as lines; names to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for number, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def start_of(text: str, now: datetime) -> datetime:
    """Return the time that words mean: ``today``, ``month``, ``7d``, ``24h`` or a date.

    Raises:
        ConfigError: They mean none.
    """
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if text == "today":
        return midnight
    if text == "month":
        return midnight.replace(day=1)
    span = re.fullmatch(r"(\d{1,4})([dh])", text)
    if span:
        back = int(span[1])
        return now - (timedelta(days=back) if span[2] == "d" else timedelta(hours=back))
    try:
        return datetime.fromisoformat(text).replace(tzinfo=now.tzinfo)
    except ValueError:
        raise ConfigError(
            f"{text[:40]!r} is no time",
            remedy="Give today, month, 7d, 24h, or a date such as 2026-01-31.",
        ) from None
