"""The slash commands ``/usage`` and ``/budgets``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path

from nanobot.command import Command, CommandRequest
from nanobot.context import Clock, PluginContext
from nanobot.messages import Role

from nanobot_usage.budgets import Meter
from nanobot_usage.config import BudgetsConfig, UsageConfig
from nanobot_usage.journal import FOLDER, Call, Tail
from nanobot_usage.ledger import user_of
from nanobot_usage.report import grouped, sentence, start_of, table, total

_GROUPINGS = ("day", "session", "user", "origin", "model", "segment")
_MOST_ROWS = 15


class Usage:
    """Shows what was used: to an owner everything, to others what they used themselves."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self._folder = folder
        self._clock = clock

    async def run(self, request: CommandRequest) -> str:
        """Answer with sums of this month, or with a table of it."""
        by = request.arguments
        if by and by not in _GROUPINGS:
            return f"Say `/usage`, or `/usage` and one of: {', '.join(_GROUPINGS)}."
        now = self._clock.now().astimezone(request.turn.now.tzinfo)
        since = start_of("month", now)
        calls = await asyncio.to_thread(self._calls, since)
        principal = request.turn.scope.principal
        owner = principal.role.allows(Role.OWNER)
        if not owner:
            calls = [call for call in calls if call.user == user_of(principal)]
        whose = "Everybody" if owner else "You"
        if by:
            return _tabled(calls, by, now, f"{whose}, {now:%B %Y}")
        return _summed(calls, request.session.key, now, whose)

    def _calls(self, since: datetime) -> list[Call]:
        first = since.timestamp()
        entries = Tail(self._folder, first, self._clock).read()
        return [entry for entry in entries if isinstance(entry, Call) and entry.at >= first]


def _summed(calls: Sequence[Call], session: str, now: datetime, whose: str) -> str:
    today = start_of("today", now).timestamp()
    here = [call for call in calls if call.session == session]
    lines = [
        f"- This session, {now:%B}: {sentence(total(here))}",
        f"- {whose}, today: {sentence(total(call for call in calls if call.at >= today))}",
        f"- {whose}, {now:%B}: {sentence(total(calls))}",
    ]
    if here:
        lines.append(f"- The window of this session holds {here[-1].context:,} tokens.")
    return "\n".join(lines)


def _tabled(calls: Sequence[Call], by: str, now: datetime, title: str) -> str:
    if not calls:
        return f"{title}: no model was called."
    head, *rows = table(grouped(calls, by, now.tzinfo), by)
    shown = rows[-_MOST_ROWS:] if by == "day" else rows[:_MOST_ROWS]
    lines = ["| " + " | ".join(_cell(cell) for cell in row) + " |" for row in (head, *shown)]
    lines.insert(1, "|---|" + "---:|" * (len(head) - 1))
    left = len(rows) - len(shown)
    more = f"\n\n{left} more rows: `nanobot usage --by {by} --since month`" if left else ""
    return f"**{title}**\n\n" + "\n".join(lines) + more


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


class Budgets:
    """Shows the budgets that hold for whoever asks, where they ask."""

    def __init__(self, meter: Meter | None) -> None:
        self._meter = meter
        self._reading = asyncio.Lock()

    async def run(self, request: CommandRequest) -> str:
        """Answer with a line for each budget."""
        if self._meter is None:
            return "No budgets are configured (`budgets.limits` in the configuration)."
        async with self._reading:
            standings = await asyncio.to_thread(self._meter.standings, request.turn)
        lines = [f"- {one.key}: {one.share:.0%}, {one}" for one in standings]
        return "\n".join(lines) or "No budget holds here."


@asynccontextmanager
async def open_usage(config: UsageConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /usage; it reads what the ledger of the same instance writes."""
    yield Usage(context.data.parent / FOLDER, context.clock)


@asynccontextmanager
async def open_budgets(config: BudgetsConfig, context: PluginContext) -> AsyncIterator[Command]:
    """Open /budgets."""
    folder = context.data.parent / FOLDER
    yield Budgets(Meter(folder, config.limits, context.clock) if config.limits else None)
