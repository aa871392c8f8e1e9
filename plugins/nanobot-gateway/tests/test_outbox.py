"""Out: in order per chat, one slow chat harms no other, and a crash neither loses nor doubles."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from nanobot.errors import StorageError
from nanobot.messages import Target
from nanobot_gateway.channel import DeliveryError, Outgoing
from nanobot_gateway.outbox import Lane, Outbox, pieces, row_of
from nanobot_gateway.store import Delivery, OutboxRow
from nanobot_testing import run
from nanobot_testing.lab import FakeClock


class Notes:
    """The part of a store that an outbox uses."""

    def __init__(self, rows: Sequence[OutboxRow] = ()) -> None:
        self.rows = rows
        self.marks: list[tuple[str, str, str]] = []
        self.full = False

    async def mark(
        self, id: str, state: Delivery, *, platform_id: str = "", error: str = ""
    ) -> None:
        if self.full:
            raise StorageError("the disk is full")
        self.marks.append((id, str(state), platform_id or error))

    async def undelivered(self) -> Sequence[OutboxRow]:
        return self.rows


def message(id: str, *, chat: str = "c", channel: str = "phone", text: str = "hi") -> Outgoing:
    return Outgoing(id=id, target=Target(channel=channel, chat=chat), text=text)


async def connected() -> None:
    """Say at once that an account is connected."""


class Line:
    """A channel that notes what it delivers."""

    def __init__(self, *failures: Exception) -> None:
        self.sent: list[str] = []
        self.failures = list(failures)
        self.gates: dict[str, asyncio.Event] = {}

    async def send(self, message: Outgoing) -> str:
        if message.target.chat in self.gates:
            await self.gates[message.target.chat].wait()
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message.id)
        return f"p-{message.id}"


Work = Callable[[Outbox, Any, FakeClock], Awaitable[None]]


def with_outbox(work: Work, rows: Sequence[OutboxRow] = ()) -> None:
    async def go() -> None:
        notes, clock = Notes(rows), FakeClock()
        outbox = Outbox(notes, clock)  # type: ignore[arg-type]
        try:
            await work(outbox, notes, clock)
        finally:
            await outbox.aclose()

    run(go())


def test_order_within_a_chat_and_none_between_chats() -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        line = Line()
        line.gates["slow"] = asyncio.Event()
        outbox.connect("phone", Lane(send=line.send, ready=connected))
        slow = [outbox.put(message(f"s{n}", chat="slow")) for n in range(3)]
        quick = [outbox.put(message(f"q{n}", chat="quick")) for n in range(3)]
        await asyncio.wait(quick)
        assert line.sent == ["q0", "q1", "q2"]
        line.gates["slow"].set()
        await asyncio.wait(slow)
        assert line.sent[3:] == ["s0", "s1", "s2"]

    with_outbox(work)


def test_a_dead_channel_delays_no_other() -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        good, dead = Line(), Line()
        dead.gates["c"] = asyncio.Event()
        outbox.connect("dead", Lane(send=dead.send, ready=connected))
        outbox.connect("good", Lane(send=good.send, ready=connected))
        outbox.put(message("d", channel="dead"))
        assert await outbox.put(message("g", channel="good")) is Delivery.SENT
        assert outbox.waiting == 1

    with_outbox(work)


def test_attempts_are_bounded_and_noted() -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        line = Line(*[DeliveryError("busy", retry_after=7.0), OSError("reset"), OSError("reset")])
        outbox.connect("phone", Lane(send=line.send, ready=connected, attempts=3))
        assert await outbox.put(message("a")) is Delivery.DEAD
        assert await outbox.put(message("b")) is Delivery.SENT
        states = [state for id, state, _ in notes.marks if id == "a"]
        assert states == ["sending", "queued", "sending", "queued", "sending", "dead"]
        assert "OSError: reset" in notes.marks[5][2]
        assert clock.slept[0] == 7.0 and 1.0 <= clock.slept[1] <= 2.0

    with_outbox(work)


@pytest.mark.parametrize("attempts", [0, 1])
def test_at_least_one_attempt(attempts: int) -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        line = Line()
        outbox.connect("phone", Lane(send=line.send, ready=connected, attempts=attempts))
        assert await outbox.put(message("a")) is Delivery.SENT

    with_outbox(work)


def test_a_message_waits_for_its_channel() -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        waiting = outbox.put(message("a"))
        assert outbox.waiting == 1 and not waiting.done()
        line = Line()
        outbox.connect("phone", Lane(send=line.send, ready=connected))
        assert await waiting is Delivery.SENT

    with_outbox(work)


def test_waiting_for_a_connection_is_no_attempt() -> None:
    """Not even noted as one: a crash meanwhile must find the message queued."""

    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        line, up = Line(), asyncio.Event()
        outbox.connect("phone", Lane(send=line.send, ready=up.wait, attempts=1))
        waiting = outbox.put(message("a"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert notes.marks == [] and not waiting.done()
        up.set()
        assert await waiting is Delivery.SENT

    with_outbox(work)


@pytest.mark.parametrize("deduplicates", [True, False])
def test_after_a_crash(deduplicates: bool) -> None:
    """What was queued goes out; what was being sent is doubled only where that is harmless."""
    queued = row_of(message("queued"))
    sending = OutboxRow(
        id="sending",
        lane="phone",
        payload=row_of(message("sending")).payload,
        state=Delivery.SENDING,
    )

    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        line = Line()
        await outbox.recover()
        outbox.connect("phone", Lane(send=line.send, ready=connected, deduplicates=deduplicates))
        await outbox.drained()
        told = ["sending", "queued"] if deduplicates else ["queued", "sending:unknown"]
        assert line.sent == told, "what may be lost is said in the chat"
        last = {id: state for id, state, _ in notes.marks}
        assert last == {"queued": "sent", "sending": "sent" if deduplicates else "unknown"}

    with_outbox(work, [sending, queued])


def test_a_full_disk_does_not_keep_a_message_back() -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        notes.full = True
        line = Line()
        outbox.connect("phone", Lane(send=line.send, ready=connected))
        assert await outbox.put(message("a")) is Delivery.SENT

    with_outbox(work)


def test_what_is_not_stored_is_not_noted() -> None:
    async def work(outbox: Outbox, notes: Any, clock: FakeClock) -> None:
        line = Line()
        outbox.connect("phone", Lane(send=line.send, ready=connected))
        await outbox.put(message("a"), stored=False)
        assert notes.marks == [] and line.sent == ["a"]

    with_outbox(work)


def test_pieces_have_ids_of_their_own() -> None:
    whole = Outgoing(
        id="t:end",
        target=Target(channel="phone", chat="c"),
        text="",
        buttons=(("Yes", "No"),),
        reply_to="m1",
    )
    first, second = pieces(whole, ["one", "two"])
    assert (first.id, second.id) == ("t:end", "t:end/1")
    assert (first.reply_to, second.reply_to) == ("m1", "")
    assert (first.buttons, second.buttons) == ((), (("Yes", "No"),))
