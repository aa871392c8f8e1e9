"""The only way out: delivers what is to be said, in order per chat, until it is out or dead."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from nanobot import log
from nanobot.context import Clock
from nanobot.errors import StorageError, describe
from nanobot.messages import Target

from nanobot_gateway.access import name_of
from nanobot_gateway.channel import DeliveryError, Outgoing
from nanobot_gateway.store import Delivery, OutboxRow, Store
from nanobot_gateway.wire import UNREADABLE, Codec

SEND_DEADLINE_S = 60.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
LONGEST_ASKED_S = 900.0
"""Longest wait that a platform may ask for before the next attempt."""
Send = Callable[[Outgoing], Awaitable[str]]


@dataclass(kw_only=True)
class Lane:
    """Where one account of a channel takes its messages.

    Args:
        send: Delivers one.
        ready: Returns once the account is connected; waiting for that is no attempt.
        attempts: How often a message is tried.
        deduplicates: The platform drops what is sent twice.
    """

    send: Send
    ready: Callable[[], Awaitable[object]]
    attempts: int = 3
    deduplicates: bool = False


@dataclass
class _Item:
    message: Outgoing
    stored: bool
    send: Send | None = None
    done: asyncio.Future[Delivery] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


def lane_of(target: Target) -> str:
    """Return the lane that delivers to a target."""
    return name_of(target.channel, target.account)


def row_of(message: Outgoing) -> OutboxRow:
    """Return the row that keeps a message."""
    return OutboxRow(id=message.id, lane=lane_of(message.target), payload=Codec.outgoing(message))


class Outbox:
    """Delivers messages; one worker per chat, so that no chat waits for another.

    Args:
        store: Keeps what is not delivered.
        clock: The time.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._queues: dict[tuple[str, str, str], deque[_Item]] = {}
        self._workers: dict[tuple[str, str, str], asyncio.Task[None]] = {}
        self._orphans: list[_Item] = []
        self.counts: dict[str, int] = dict.fromkeys(("sent", "dead", "unknown", "retried"), 0)

    # --- lanes ----------------------------------------------------------------------------------

    def connect(self, name: str, lane: Lane) -> None:
        """Let a channel's account take its messages, those that waited for it first."""
        self._lanes[name] = lane
        waiting = [item for item in self._orphans if lane_of(item.message.target) == name]
        self._orphans = [item for item in self._orphans if item not in waiting]
        for item in waiting:
            self._enqueue(item)

    def disconnect(self, name: str) -> None:
        """Keep what is still to be said to an account until it is back."""
        self._lanes.pop(name, None)

    # --- messages -------------------------------------------------------------------------------

    def put(
        self, message: Outgoing, *, stored: bool = True, send: Send | None = None
    ) -> asyncio.Future[Delivery]:
        """Deliver a message after those before it in its chat.

        Args:
            stored: It is in the store, which learns how the delivery goes.
            send: Delivers it in place of the lane, such as an edit of what is shown already.

        Returns:
            How it ended.
        """
        item = _Item(message, stored, send)
        self._enqueue(item)
        return item.done

    async def recover(self) -> None:
        """Take up what an earlier process did not deliver; call it before the first `connect`."""
        for row in await self._store.undelivered():
            try:
                message = Codec.read_outgoing(row)
            except UNREADABLE as error:
                log.get(id=row.id).error("delivery_unreadable", reason=describe(error))
                continue
            item = _Item(message, True)
            if row.state is Delivery.SENDING:
                item.send = self._again
            self._orphans.append(item)

    async def _again(self, message: Outgoing) -> str:
        """Deliver what was being sent when the process ended, where that can not double it."""
        lane = self._lanes[lane_of(message.target)]
        if lane.deduplicates:
            return await lane.send(message)
        raise _Unknown

    @property
    def waiting(self) -> int:
        """Return how many messages are not delivered yet."""
        return len(self._orphans) + sum(len(queue) for queue in self._queues.values())

    async def drained(self) -> None:
        """Wait until everything that can be delivered has been."""
        while self._workers:
            await asyncio.wait(list(self._workers.values()))

    async def aclose(self) -> None:
        """Stop; what is not delivered stays in the store."""
        for task in list(self._workers.values()):
            task.cancel()
        if self._workers:
            await asyncio.wait(list(self._workers.values()))

    # --- one chat -------------------------------------------------------------------------------

    def _enqueue(self, item: _Item) -> None:
        name, target = lane_of(item.message.target), item.message.target
        if name not in self._lanes:
            self._orphans.append(item)
            return
        key = (name, target.chat, target.thread)
        self._queues.setdefault(key, deque()).append(item)
        if key not in self._workers:
            self._workers[key] = asyncio.create_task(self._work(key), name=f"outbox {name}")

    async def _work(self, key: tuple[str, str, str]) -> None:
        queue = self._queues[key]
        try:
            while queue:
                item = queue[0]
                lane = self._lanes.get(key[0])
                if lane is None:  # the channel was switched off meanwhile
                    self._orphans.extend(queue)
                    queue.clear()
                    return
                state = await self._deliver(item, lane)
                queue.popleft()
                if not item.done.done():
                    item.done.set_result(state)
        finally:
            del self._workers[key], self._queues[key]

    async def _deliver(self, item: _Item, lane: Lane) -> Delivery:
        """Try until it is delivered or there is no hope."""
        message = item.message
        for attempt in range(max(lane.attempts, 1)):
            await lane.ready()
            if not lane.deduplicates:  # else it may be sent again after a crash in any case
                await self._mark(item, Delivery.SENDING)
            try:
                async with asyncio.timeout(SEND_DEADLINE_S):
                    sent = await (item.send or lane.send)(message)
            except _Unknown:
                await self._mark(item, Delivery.UNKNOWN, error="it was being sent in a crash")
                log.get(lane=lane_of(message.target)).warning("delivery_unknown", id=message.id)
                self.put(_cut_off(message), stored=False)
                return self._count(Delivery.UNKNOWN)
            except Exception as error:
                failure = error
            else:
                await self._mark(item, Delivery.SENT, platform_id=sent)
                return self._count(Delivery.SENT)
            if not _retryable(failure):
                break
            self.counts["retried"] += 1
            if attempt + 1 < lane.attempts:
                await self._mark(item, Delivery.QUEUED, error=_words(failure))
                await self._clock.sleep(_pause(failure, attempt))
        reason = _words(failure)
        await self._mark(item, Delivery.DEAD, error=reason)
        log.get(lane=lane_of(message.target)).error("delivery_dead", id=message.id, reason=reason)
        return self._count(Delivery.DEAD)

    def _count(self, state: Delivery) -> Delivery:
        self.counts[str(state)] += 1
        return state

    async def _mark(self, item: _Item, state: Delivery, **more: str) -> None:
        if not item.stored:
            return
        try:
            await self._store.mark(item.message.id, state, **more)
        except StorageError as error:  # the delivery itself matters more than the note of it
            log.get().warning("delivery_not_noted", reason=error.message)


_CUT_OFF = (
    "⚠ I was stopped while I sent my last message here. "
    "If you can not see it, ask me to say it again."
)


class _Unknown(Exception):
    """Report a message of which nobody knows whether it was delivered."""


def _cut_off(message: Outgoing) -> Outgoing:
    """Return what a chat is told when nobody knows whether a message reached it."""
    return Outgoing(id=f"{message.id}:unknown", target=message.target, text=_CUT_OFF)


def _retryable(error: Exception) -> bool:
    return error.retryable if isinstance(error, DeliveryError) else True


def _words(error: Exception) -> str:
    return log.redact(describe(error))


def _pause(error: Exception, attempt: int) -> float:
    """Return how long to wait: as long as the platform asks, else longer each time."""
    asked = error.retry_after if isinstance(error, DeliveryError) else None
    if asked is not None:
        return min(max(asked, 0.0), LONGEST_ASKED_S)
    longest: float = min(FIRST_PAUSE_S * 2**attempt, LONGEST_PAUSE_S)
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def pieces(message: Outgoing, texts: list[str]) -> list[Outgoing]:
    """Return a message as several, one a text; files and buttons go with the last."""
    made = []
    for ordinal, text in enumerate(texts):
        last = ordinal == len(texts) - 1
        made.append(
            replace(
                message,
                id=f"{message.id}/{ordinal}" if ordinal else message.id,
                text=text,
                files=message.files if last else (),
                buttons=message.buttons if last else (),
                reply_to=message.reply_to if ordinal == 0 else "",
            )
        )
    return made
