"""One mailbox per session: messages in their order, one turn at a time, sessions side by side."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TypeVar

from nanobot import log
from nanobot.context import Clock
from nanobot.engine import Engine
from nanobot.errors import NanobotError, StorageError, describe
from nanobot.events import TurnEvent, TurnFinished
from nanobot.messages import Inbound, StopReason, text_of
from nanobot.profile import Profile

from nanobot_gateway.delivery import Manners, Place, Show
from nanobot_gateway.enriching import Enriching
from nanobot_gateway.outbox import Outbox, row_of
from nanobot_gateway.storage import StorageWatch
from nanobot_gateway.store import Store, UsageRow

T = TypeVar("T", str, float)
RETRY_S = 5.0
LONGEST_RETRY_S = 60.0
MOST_AT_A_DRAIN = 3


@dataclass(frozen=True, kw_only=True)
class Work:
    """A message that is stored and waits for its turn.

    Args:
        inbound: The message; its id is that of its row in the inbox.
        place: Where it is answered.
        manners: How.
        profile: The named agent or subagent that answers, None for the usual one.
    """

    inbound: Inbound
    place: Place
    manners: Manners
    profile: Profile | None = None


@dataclass(frozen=True, kw_only=True)
class Crew:
    """What all actors share.

    Args:
        storage: Learns when the store fails.
        enriching: Makes more of a message before its turn.
        report: Tells the session that sent a subagent what came of its work.
    """

    engine: Engine
    store: Store
    outbox: Outbox
    clock: Clock
    storage: StorageWatch
    enriching: Enriching
    report: Callable[[Inbound, TurnFinished], Awaitable[None]]


class Actor:
    """Runs the turns of one session.

    Args:
        key: The session's key.
        crew: What all actors share.
        idle: Told when nothing is left to do.
    """

    def __init__(self, key: str, crew: Crew, idle: Callable[[Actor], None]) -> None:
        self.key = key
        self._crew = crew
        self._idle = idle
        self._waiting: deque[Work] = deque()
        self._current: Work | None = None
        self._joined: list[Work] = []
        self._turn: asyncio.Task[None] | None = None
        self.suspended = False
        self.spoke = False
        self._ending = False
        self._told = ""
        self._loop: asyncio.Task[None] | None = None

    # --- the mailbox ----------------------------------------------------------------------------

    def put(self, work: Work) -> str:
        """Take a message; return the id of the platform's message whose turn it may join."""
        running = self._current
        self._waiting.append(work)
        if self._loop is None:
            self._loop = asyncio.create_task(self._work(), name=f"session {self.key}")
        return running.place.answers if running else work.place.answers

    @property
    def busy(self) -> bool:
        """Tell whether a turn runs."""
        return self._current is not None

    @property
    def waiting(self) -> int:
        """Return how many messages wait."""
        return len(self._waiting)

    @property
    def messages(self) -> list[str]:
        """Return the ids of all messages that are not done with."""
        current = [self._current] if self._current else []
        return [work.inbound.id for work in (*current, *self._joined, *self._waiting)]

    def take(self, *, ending: bool) -> Sequence[Inbound]:
        """Return messages that join the running turn (`nanobot.engine.FollowUps`).

        Only what the same person says may join: a turn acts with the rights of who started it. An
        answer that is there is delivered, and what came meanwhile is answered after it.
        """
        if ending:
            return []
        joining: list[Inbound] = []
        while self._waiting and len(joining) < MOST_AT_A_DRAIN:
            work = self._waiting[0]
            mine = self._current and _same(work, self._current)
            apart = not mine or self._crew.enriching.wanted(work.inbound)
            if apart or text_of(work.inbound.parts).lstrip().startswith("/"):
                break
            self._joined.append(self._waiting.popleft())
            joining.append(work.inbound)
        return joining

    async def stop(self) -> int:
        """Stop the running turn and forget what waits; return how many turns were stopped."""
        dropped = [work.inbound.id for work in (*self._waiting, *self._joined)]
        self._waiting.clear()
        turn, current = self._turn, self._current
        if turn is not None:
            if not self._ending:  # what it says is being stored: too late to unsay it
                turn.cancel()
            await asyncio.wait([turn])
            dropped += [current.inbound.id] if current else []
        if dropped:
            await self._crew.store.finish(dropped)
        return int(turn is not None)

    async def drained(self) -> None:
        """Wait until nothing is left to do."""
        while self._loop is not None:
            await asyncio.wait([self._loop])

    async def abandon(self) -> None:
        """End without finishing anything: what is stored goes on when the gateway is back."""
        self.suspended = True
        self._waiting.clear()
        for task in (self._loop, self._turn):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])

    # --- turns ----------------------------------------------------------------------------------

    async def _work(self) -> None:
        try:
            while self._waiting:
                work = self._current = self._waiting.popleft()
                self._joined = []
                self._turn = asyncio.create_task(self._run(work), name=f"turn {self.key}")
                await asyncio.wait([self._turn])
                self._turn = self._current = None
        finally:
            self._loop = None
            if not self._waiting:
                self._idle(self)

    async def _run(self, work: Work) -> None:
        """Run a turn to an end that is stored, however often the disk must be asked."""
        pause = RETRY_S
        while True:
            try:
                await self._attempt(work)
                return
            except StorageError as error:
                self._crew.storage.failed(error)
                log.get(session=self.key).error("turn_waits_for_storage", reason=error.message)
                await self._crew.clock.sleep(pause)
                pause = min(pause * 2, LONGEST_RETRY_S)

    async def _attempt(self, work: Work) -> None:
        """Let the engine answer and deliver what it says.

        Raises:
            StorageError: Nothing can be stored at the moment; the same message may be tried again.
        """
        crew = self._crew
        self.spoke = False
        show = Show(work.place, work.manners, crew.outbox, crew.clock, work.inbound.id)
        started = crew.clock.monotonic()
        try:
            end = await self._events(work, show)
            if end.turn_id and end.turn_id == self._told:
                # Before the process was killed, it had joined a turn that has just been told again.
                end = replace(end, content="", error="")
            self._ending = True
            if work.inbound.parent:
                await crew.report(work.inbound, end)
            silent = work.inbound.parent or (self.spoke and not end.error)
            messages = [] if silent else show.final(end)
            ids = [work.inbound.id, *(joined.inbound.id for joined in self._joined)]
            at = crew.clock.now().timestamp()
            usage = [_usage(work, end, at)] if end.usage.calls else []
            await crew.store.finish(ids, [row_of(m) for m in messages], usage)
        except asyncio.CancelledError:
            show.event(_cancelled(work))
            show.close()
            raise
        except BaseException:
            show.close()
            raise
        finally:
            self._ending = False
        self._told = end.turn_id
        show.finish(end, messages)
        seconds = crew.clock.monotonic() - started
        log.get(session=self.key).info("turn", stop=str(end.stop_reason), seconds=round(seconds, 3))

    async def _events(self, work: Work, show: Show) -> TurnFinished:
        """Show what happens and return how it ended; the end itself is shown once it is stored."""
        ended: TurnFinished | None = None
        try:
            parts = await self._crew.enriching.enrich(work.inbound.parts)
            inbound = replace(work.inbound, parts=parts)
            turn = self._crew.engine.handle(inbound, profile=work.profile, follow_ups=self)
            async with aclosing(turn) as stream:
                async for event in stream:
                    if isinstance(event, TurnFinished):
                        ended = event
                    else:
                        show.event(event)
        except StorageError:
            raise
        except NanobotError as error:
            return _failed(work, str(error))
        except Exception as error:
            log.get(session=self.key).error("turn_crashed", exc_info=True)
            return _failed(work, f"internal error: {log.redact(describe(error))}")
        return ended or _failed(work, "the turn ended without an answer")


def _same(one: Work, other: Work) -> bool:
    """Tell whether two messages are by the same person and for the same agent."""
    return one.inbound.principal == other.inbound.principal and one.profile == other.profile


def _failed(work: Work, error: str) -> TurnFinished:
    return TurnFinished(
        content="", stop_reason=StopReason.ERROR, error=error, turn_id=work.inbound.id
    )


def _cancelled(work: Work) -> TurnEvent:
    return TurnFinished(content="", stop_reason=StopReason.CANCELLED, turn_id=work.inbound.id)


def _usage(work: Work, end: TurnFinished, at: float) -> UsageRow:
    billed, who = end.usage.billed, work.inbound.principal
    return UsageRow(
        turn=end.turn_id or work.inbound.id,
        at=at,
        labels=_known(
            session=work.inbound.session_key,
            channel=who.channel,
            user=who.user,
            origin=str(work.inbound.origin),
            model=end.model,
        ),
        numbers=_known(
            input=float(billed.input),
            output=float(billed.output),
            cached=float(billed.cached),
            cache_write=float(billed.cache_write),
            reasoning=float(billed.reasoning),
            calls=float(end.usage.calls),
        ),
    )


def _known(**facts: T) -> dict[str, T]:
    """Return what says something: no empty texts, no zeros."""
    return {name: fact for name, fact in facts.items() if fact}
