"""The contract of a store: what the gateway must not lose.

A store keeps four things: messages that came in until their turn is over (inbox), messages to
deliver until they are delivered (outbox), which occurrences of a schedule have been taken, and
what was used. Every method that says so returns only once the change survives a crash of the
machine. One process uses a store at a time, unless the store says otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class InboxRow:
    """A message that came in.

    Args:
        id: Unique id of the row.
        key: What makes a duplicate: the same key is accepted once.
        session_key: The session it belongs to; rows of a session are handled in their order.
        payload: The message, as the gateway encodes it.
    """

    id: str
    key: str
    session_key: str
    payload: bytes = field(repr=False)


class Delivery(StrEnum):
    """How far the delivery of a message has come."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNKNOWN = "unknown"
    DEAD = "dead"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutboxRow:
    """A message to deliver.

    Args:
        id: Turn, ordinal and target in one text; the same id is kept once.
        lane: Channel and account that deliver it; rows of a lane and chat go out in order.
        payload: The message, as the gateway encodes it.
        state: How far it has come.
        platform_id: The platform's id of it, once there is one.
        attempts: How often it was tried.
        error: Why it is not delivered, in words.
    """

    id: str
    lane: str
    payload: bytes = field(repr=False)
    state: Delivery = Delivery.QUEUED
    platform_id: str = ""
    attempts: int = 0
    error: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UsageRow:
    """What one turn used.

    Args:
        turn: Id of the turn; the same turn is counted once.
        at: Seconds since the epoch.
        labels: What it belongs to: session, principal, origin, model.
        numbers: What was used: tokens by kind, model calls, money.
    """

    turn: str
    at: float
    labels: Mapping[str, str]
    numbers: Mapping[str, float]


class Store(Protocol):
    """What a `StoreSpec` factory opens.

    Raises:
        nanobot.errors.StorageError: From every method: the change was not made (the disk is full
            or read-only); the same call may succeed later.
    """

    async def accept(self, row: InboxRow) -> bool:
        """Keep a message durably; False, and nothing changes, when its key is known already.

        A key stays known for at least a week after its message was finished.
        """
        ...

    async def finish(
        self,
        inbox: Sequence[str],
        outbox: Sequence[OutboxRow] = (),
        usage: Sequence[UsageRow] = (),
    ) -> None:
        """Let messages be done with and keep what they led to, durably, all or nothing.

        Ids that are done or unknown, and rows that are there already, are passed over.
        """
        ...

    async def unfinished(self) -> Sequence[InboxRow]:
        """Return the messages that are not done with, in the order of their acceptance."""
        ...

    async def mark(
        self, id: str, state: Delivery, *, platform_id: str = "", error: str = ""
    ) -> None:
        """Note how far a delivery has come; need not be durable when it returns.

        Passing to ``sending`` counts an attempt. A platform id that is known stays.
        """
        ...

    async def undelivered(self) -> Sequence[OutboxRow]:
        """Return the rows in state queued or sending, in the order in which they were kept."""
        ...

    async def delivery(self, id: str) -> OutboxRow | None:
        """Return a row of the outbox, None when there is none."""
        ...

    async def claim(self, job: str, occurrence: str) -> bool:
        """Take an occurrence of a schedule durably; False when it was taken before."""
        ...

    async def put(self, area: str, key: str, value: bytes | None) -> None:
        """Keep a small value durably under a key of an area; None removes it."""
        ...

    async def items(self, area: str) -> Mapping[str, bytes]:
        """Return the values of an area by key, in the order in which they were first kept."""
        ...

    async def usage(self, since: float, until: float) -> Sequence[UsageRow]:
        """Return what was used in a span of time, in order; seconds since the epoch."""
        ...

    async def healthy(self) -> str:
        """Say why nothing can be stored at the moment, empty when all is well."""
        ...
