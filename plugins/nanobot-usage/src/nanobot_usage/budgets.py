"""Budgets: counted from the journal, and held before a model is called."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from fnmatch import fnmatchcase
from pathlib import Path

from nanobot.context import Clock, PluginContext
from nanobot.errors import BadRequest
from nanobot.events import Notice, TurnEvent, TurnFinished, TurnStarted
from nanobot.messages import Turn
from nanobot.middleware import Middleware, ModelNext, TurnNext
from nanobot.provider import ModelEvent, ModelRequest

from nanobot_usage.config import Budget, BudgetsConfig
from nanobot_usage.journal import FOLDER, Call, Entry, Journal, Tail, Warned
from nanobot_usage.ledger import user_of
from nanobot_usage.wording import calls, dollars

_DOLLAR = 10**9
_MOST_PLACES = 4096
_Holding = tuple[str, str, Budget]


class BudgetExceeded(BadRequest):
    """Refuse a model call since a budget is used up.

    It is a refusal of the request, wrong for every model, so fallbacks are not asked.
    """


@dataclass(slots=True)
class Used:
    """What was used of a budget; `unpriced` calls are not in `cost`."""

    tokens: int = 0
    cost: int = 0
    unpriced: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a budget stands.

    Args:
        key: The budget's name, and whose it is where each has one of their own.
        resets: When it starts anew.
    """

    key: str
    budget: Budget
    used: Used
    resets: datetime

    @property
    def share(self) -> float:
        """Return how much of it is used; 1 is all."""
        of_tokens = self.used.tokens / self.budget.tokens if self.budget.tokens else 0.0
        of_money = self.used.cost / (self.budget.money * _DOLLAR) if self.budget.money else 0.0
        return max(of_tokens, of_money)

    def __str__(self) -> str:
        """Say what is used, and when it starts anew."""
        said = []
        if self.budget.tokens:
            said.append(f"{self.used.tokens:,} of {self.budget.tokens:,} tokens")
        if self.budget.money:
            spent, most = dollars(self.used.cost), dollars(int(self.budget.money * _DOLLAR))
            said.append(f"{spent} of {most}")
        if self.budget.money and self.used.unpriced:
            said.append(f"{calls(self.used.unpriced)} of unknown price")
        period = "today" if self.budget.per == "day" else "this month"
        return f"{', '.join(said)} used {period}; it starts anew on {self.resets:%Y-%m-%d %H:%M %Z}"


class Meter:
    """Counts what is used of some budgets, by all processes of an instance.

    Args:
        folder: Where the journal is.

    Attributes:
        ready: The journal has been read, so that counting on takes no time.
    """

    def __init__(self, folder: Path, limits: Mapping[str, Budget], clock: Clock) -> None:
        self.ready = False
        self._folder = folder
        self._limits = limits
        self._clock = clock
        self._zone: tzinfo | None = None
        self._tail: Tail | None = None
        self._windows: dict[str, tuple[datetime, datetime]] = {}
        self._used: dict[tuple[str, str], Used] = {}
        self._warned: dict[str, int] = {}
        self._places: dict[tuple[str, str, str], tuple[_Holding, ...]] = {}

    def standings(self, turn: Turn) -> list[Standing]:
        """Return how the budgets stand that hold for a turn, right now."""
        self.count(turn.now.tzinfo)
        scope = turn.scope
        place = (str(turn.origin), user_of(scope.principal), scope.session_key)
        return [
            Standing(
                key=f"{name} ({own})" if own else name,
                budget=budget,
                used=self._used.get((name, own)) or Used(),
                resets=self._windows[budget.per][1],
            )
            for name, own, budget in self._of(place)
        ]

    def count(self, zone: tzinfo | None) -> None:
        """Take in what was recorded since the last time; one thread at a time.

        Args:
            zone: Where days begin.
        """
        now = self._clock.now()
        if self._tail is None or zone != self._zone:
            self._begin(now.astimezone(zone), zone)
        elif any(now >= end for _, end in self._windows.values()):
            self._renew(now.astimezone(zone))
        assert self._tail is not None
        for entry in self._tail.read():
            self._add(entry)
        self.ready = True

    def needs_warning(self, standing: Standing) -> bool:
        """Tell whether a budget runs low and nobody was told today."""
        if standing.share < standing.budget.warn_at:
            return False
        today = self._windows["day"][0].timestamp()
        return self._warned.get(standing.key, 0) < today

    def _begin(self, now: datetime, zone: tzinfo | None) -> None:
        self._zone = zone
        self._used, self._warned = {}, {}
        self._windows = {period: _window(period, now) for period in ("day", "month")}
        since = min(start for start, _ in self._windows.values()).timestamp()
        self._tail = Tail(self._folder, since, self._clock)

    def _renew(self, now: datetime) -> None:
        """Begin a new day, and perhaps a new month; what was counted for the old one is over."""
        for period, (_, end) in list(self._windows.items()):
            if now >= end:
                self._windows[period] = _window(period, now)
                going = {name for name, budget in self._limits.items() if budget.per != period}
                self._used = {key: used for key, used in self._used.items() if key[0] in going}

    def _add(self, entry: Entry) -> None:
        if isinstance(entry, Warned):
            self._warned[entry.budget] = max(entry.at, self._warned.get(entry.budget, 0))
            return
        for name, own, budget in self._of((entry.origin, entry.user, entry.session)):
            if entry.at >= self._windows[budget.per][0].timestamp():
                _spend(self._used.setdefault((name, own), Used()), entry)

    def _of(self, place: tuple[str, str, str]) -> tuple[_Holding, ...]:
        """Return the budgets that hold for an origin, user and session, and whose each is."""
        found = self._places.get(place)
        if found is None:
            if len(self._places) >= _MOST_PLACES:
                self._places.clear()
            found = self._places[place] = tuple(_holding(self._limits, *place))
        return found


def _holding(
    limits: Mapping[str, Budget], origin: str, user: str, session: str
) -> Iterator[_Holding]:
    for name, budget in limits.items():
        if (
            (not budget.origins or origin in budget.origins)
            and _matches(user, budget.users)
            and _matches(session, budget.sessions)
        ):
            own = {"": "", "origin": origin, "user": user, "session": session}[budget.each]
            yield name, own, budget


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return not patterns or any(fnmatchcase(text, pattern) for pattern in patterns)


def _spend(used: Used, call: Call) -> None:
    used.tokens += call.billed.input + call.billed.output
    if call.cost is None:
        used.unpriced += 1
    else:
        used.cost += call.cost.total


def _window(period: str, now: datetime) -> tuple[datetime, datetime]:
    """Return when the day or month of a time begins and ends, by the clock on the wall."""
    start = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "day":
        return start, start + timedelta(days=1)
    start = start.replace(day=1)
    return start, (start + timedelta(days=32)).replace(day=1)


class Guard(Middleware):
    """Refuses model calls for which there is no budget left, and says when one runs low."""

    def __init__(self, meter: Meter, journal: Journal, context: PluginContext) -> None:
        self._meter = meter
        self._journal = journal
        self._clock = context.clock
        self._log = context.log
        self._reading = asyncio.Lock()

    def around_model(
        self, request: ModelRequest, turn: Turn, proceed: ModelNext
    ) -> AsyncIterator[ModelEvent]:
        """Pass a call on while there is budget for it.

        Raises:
            BudgetExceeded: There is none.
        """
        for standing in self._meter.standings(turn):
            if standing.budget.hard and standing.share >= 1:
                self._log.warning("budget_used_up", budget=standing.key, session=turn.id)
                raise BudgetExceeded(
                    f"The budget “{standing.key}” is used up: {standing}.",
                    remedy="Wait until then, or raise it in the configuration: budgets.limits.",
                    model=request.model,
                )
        return proceed(request)

    async def around_turn(self, turn: Turn, proceed: TurnNext) -> AsyncIterator[TurnEvent]:
        """Tell the user of budgets that run low: as the turn begins, and before it ends."""
        if not self._meter.ready:
            async with self._reading:
                if not self._meter.ready:
                    await asyncio.to_thread(self._meter.count, turn.now.tzinfo)
        async for event in proceed():
            if isinstance(event, TurnFinished):
                for notice in self._warnings(turn):
                    yield notice
            yield event
            if isinstance(event, TurnStarted):
                for notice in self._warnings(turn):
                    yield notice

    def _warnings(self, turn: Turn) -> Iterator[Notice]:
        low = [one for one in self._meter.standings(turn) if self._meter.needs_warning(one)]
        for standing in low:
            at = int(self._clock.now().timestamp())
            try:
                self._journal.append(Warned(at=at, budget=standing.key))
            except OSError as error:
                self._log.warning("warning_not_recorded", reason=error.strerror or str(error))
                continue  # else every turn would say it
            self._log.warning("budget_low", budget=standing.key, share=round(standing.share, 3))
            text = f"The budget “{standing.key}” is at {standing.share:.0%}: {standing}."
            yield Notice(kind="warning", text=text)


@asynccontextmanager
async def open_middleware(
    config: BudgetsConfig, context: PluginContext
) -> AsyncIterator[Middleware]:
    """Open the budgets; without any there is nothing to do at a call."""
    folder = context.data.parent / FOLDER
    if not config.limits:
        yield Middleware()
        return
    yield Guard(Meter(folder, config.limits, context.clock), Journal(folder), context)
