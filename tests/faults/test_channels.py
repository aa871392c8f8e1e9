"""A platform that repeats, shuffles, forgets, fails and floods: lost 0, doubled 0."""

from __future__ import annotations

import asyncio
import itertools
import random
import sqlite3
from collections import Counter
from typing import Any

import pytest
from nanobot_gateway.channel import DeliveryError

CHATS, MESSAGES = 8, 12


def everything(house: Any) -> list[tuple[str, str]]:
    """Return the messages of some chats, as chat and word, those of a chat in their order."""
    said = [
        (f"c{chat}", house.ledger.say(f"c{chat}")) for _ in range(MESSAGES) for chat in range(CHATS)
    ]
    return said


async def answered(house: Any, gateway: Any) -> None:
    await gateway.sessions.drained()
    await gateway.outbox.drained()


# --- what comes in ------------------------------------------------------------------------------


async def redelivered(house: Any, gateway: Any) -> None:
    """Hand each message over three times, the last time when its turn is long over."""
    said = everything(house)
    twice = [message for message in said for _ in range(2)]
    await asyncio.gather(*(house.platform.hand(word, chat) for chat, word in twice))
    await answered(house, gateway)
    for chat, word in said:
        await house.platform.hand(word, chat)
    await answered(house, gateway)


def test_what_comes_again_is_answered_once(house: Any) -> None:
    house.run(lambda gateway: redelivered(house, gateway))
    assert house.ledger.faultless, house.ledger


def test_what_comes_again_after_a_restart_is_answered_once(house: Any) -> None:
    """The acknowledgements of a whole process are lost."""
    house.run(lambda gateway: redelivered(house, gateway))
    said = [*house.ledger.said]

    async def again(gateway: Any) -> None:
        for word in said:
            await house.platform.hand(word, word.strip("#").partition(".")[0])
        await answered(house, gateway)

    house.run(again)
    assert house.ledger.faultless, house.ledger


def test_the_detector_sees_what_is_answered_twice(house: Any) -> None:
    """Negative control: a store that knows no message again."""
    from nanobot_store_sqlite import operations

    accept, count = operations.accept, itertools.count()

    def forgetful(db: Any, now: float, row: Any) -> bool:
        from dataclasses import replace

        return accept(db, now, replace(row, key=f"{row.key} {next(count)}"))

    house.patch.setattr(operations, "accept", forgetful)
    house.run(lambda gateway: redelivered(house, gateway))
    assert house.ledger.doubled


def test_what_comes_out_of_order_is_all_answered_in_the_order_of_its_coming(house: Any) -> None:
    said = everything(house)
    random.Random(7).shuffle(said)

    async def work(gateway: Any) -> None:
        for chat, word in said:
            await house.platform.hand(word, chat)
        await answered(house, gateway)

    house.run(work)
    assert not house.ledger.lost and not house.ledger.doubled, house.ledger
    for number in range(CHATS):
        came = [word for chat, word in said if chat == f"c{number}"]
        assert [word for word in house.ledger.answered if word in came] == came


def test_the_detector_sees_answers_out_of_order(house: Any) -> None:
    """Negative control: turns of one chat side by side, the later one faster."""
    from nanobot_gateway.sessions import Sessions

    put, names = Sessions.put, itertools.count()

    def apart(self: Any, work: Any) -> str:
        from dataclasses import replace

        key = f"{work.inbound.session_key} {next(names)}"
        return put(self, replace(work, inbound=replace(work.inbound, session_key=key)))

    house.patch.setattr(Sessions, "put", apart)
    echo = house.brain

    class Uneven:
        async def stream(self, request: Any) -> Any:
            events = [event async for event in echo.stream(request)]
            steps = 50 if events[0].text.endswith(".0") else 0
            for _ in range(steps):
                await asyncio.sleep(0)
            for event in events:
                yield event

    house.brain = Uneven()

    async def work(gateway: Any) -> None:
        slow = everything(house)
        await asyncio.gather(*(house.platform.hand(word, chat) for chat, word in slow))
        await answered(house, gateway)

    house.run(work)
    assert house.ledger.disordered


# --- what goes out ------------------------------------------------------------------------------


class Bad:
    """A platform whose every delivery fails a few times, before or after it took the message."""

    def __init__(self, house: Any, times: int) -> None:
        self._house = house
        self._left: Counter[str] = Counter()
        self._times = times

    async def __call__(self, message: Any) -> bool:
        self._left[message.id] += 1
        tries = self._left[message.id]
        if tries > self._times:
            return True
        if tries % 2:  # it took the message, and what says so is lost on the way
            self._house.platform.show(message)
            raise TimeoutError("no answer")
        raise DeliveryError("the line is bad", retry_after=0)


def deliver_all(house: Any, clock: Any, times: int) -> None:
    async def work(gateway: Any) -> None:
        house.platform.deliver = Bad(house, times)
        for chat, word in everything(house):
            await house.platform.hand(word, chat)
        await answered(house, gateway)

    house.run(work, clock=clock)


def test_a_delivery_that_fails_is_made_once(house: Any, jumpy: Any) -> None:
    deliver_all(house, jumpy, times=2)
    assert house.ledger.faultless, house.ledger
    assert all(0 <= pause <= 60 for pause in jumpy.slept if pause != 3600)


def test_a_delivery_that_is_hopeless_is_given_up_with_a_receipt(house: Any, jumpy: Any) -> None:
    async def work(gateway: Any) -> Any:
        async def refuse(message: Any) -> bool:
            if message.target.chat == "c0":
                raise DeliveryError("the chat is gone", retryable=False)
            return True

        house.platform.deliver = refuse
        for chat in ("c0", "c1"):
            await house.platform.says(chat)
        await answered(house, gateway)
        return gateway.health().counters

    counters = house.run(work, clock=jumpy)
    assert (counters["deliveries_sent_total"], counters["deliveries_dead_total"]) == (1, 1)
    with sqlite3.connect(house.data / "state.db") as database:
        (row,) = database.execute("SELECT error FROM outbox WHERE state = 'dead'").fetchall()
    database.close()
    assert "the chat is gone" in row[0]


def test_the_detector_sees_a_delivery_that_is_made_twice(house: Any, jumpy: Any) -> None:
    """Negative control: a platform that knows no message again."""
    house.deduplicates = False
    deliver_all(house, jumpy, times=2)
    assert house.ledger.doubled


def test_the_detector_sees_a_delivery_that_is_given_up(house: Any, jumpy: Any) -> None:
    """Negative control: a platform that drops messages and says that it took them."""

    async def work(gateway: Any) -> None:
        async def drop(message: Any) -> bool:
            return ".3" not in message.text

        house.platform.deliver = drop
        for chat, word in everything(house):
            await house.platform.hand(word, chat)
        await answered(house, gateway)

    house.run(work, clock=jumpy)
    assert house.ledger.lost


async def overtaken(house: Any, gateway: Any) -> None:
    """Say something while the answer to something else is being made."""
    house.brain.hold()
    for _ in range(2):
        await house.platform.says("c0")
    house.brain.go()


@pytest.mark.parametrize("progress", [True, False])
def test_an_answer_that_is_overtaken_by_the_next_message_is_shown(
    house: Any, progress: bool
) -> None:
    house.wire["sendProgress"] = progress

    async def work(gateway: Any) -> None:
        await overtaken(house, gateway)
        await answered(house, gateway)

    house.run(work)
    assert house.ledger.faultless, house.ledger


def test_an_answer_that_is_overtaken_survives_a_kill(house: Any) -> None:
    async def work(gateway: Any) -> None:
        reached = asyncio.Event()

        async def stuck(message: Any) -> bool:
            reached.set()
            await asyncio.Event().wait()
            return True

        house.platform.deliver = stuck
        await overtaken(house, gateway)
        await reached.wait()
        house.brain.hold()

    house.run(work)
    house.brain.go()
    house.run(lambda gateway: answered(house, gateway))
    assert house.ledger.faultless, house.ledger


# --- a flood ------------------------------------------------------------------------------------


async def flooded(house: Any, gateway: Any, flood: int) -> int:
    """Flood one chat, talk in others meanwhile; return how much was left of the flood by then."""
    platform = house.platform
    house.brain.hold()
    words = [house.ledger.say("flood") for _ in range(flood)]
    for start in range(0, flood, 500):
        await asyncio.gather(*(platform.hand(word, "flood") for word in words[start : start + 500]))
    house.brain.go()
    for _ in range(3):
        await asyncio.gather(*(platform.says(f"c{chat}") for chat in range(CHATS)))
    quiet = [word for word in house.ledger.said if not word.startswith("#flood.")]
    await platform.until(lambda: set(quiet) <= set(house.ledger.answered))
    left: int = flood - sum(word.startswith("#flood.") for word in house.ledger.answered)
    await answered(house, gateway)
    return left


def test_a_flood_in_one_chat_holds_up_no_other(house: Any) -> None:
    left = house.run(lambda gateway: flooded(house, gateway, 10_000))
    assert house.ledger.faultless, house.ledger
    assert left > 5_000


def test_the_detector_sees_who_waits_for_a_flood(house: Any) -> None:
    """Negative control: an instance whose chats all share one session."""
    house.defaults["unifiedSession"] = True
    assert house.run(lambda gateway: flooded(house, gateway, 500)) == 0
