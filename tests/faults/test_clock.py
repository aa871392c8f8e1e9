"""The machine's clock jumps by hours and days, forth and back: lost 0, doubled 0."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from nanobot_gateway.channel import DeliveryError

JUMPS = [timedelta(hours=5), timedelta(hours=-5), timedelta(days=400), timedelta(days=-400)]
CHATS = 6


async def rounds(house: Any, gateway: Any, clock: Any) -> None:
    """Let the clock jump before each round of messages, which all come twice."""
    platform = house.platform
    for jump in JUMPS:
        house.brain.hold()
        chats = [f"c{chat}" for chat in range(CHATS)]
        said = [(house.ledger.say(chat), chat) for chat in chats]
        await asyncio.gather(*(platform.hand(word, chat) for word, chat in said))
        clock.ahead += jump  # while all turns run
        house.brain.go()
        await gateway.sessions.drained()
        for word, chat in said:
            await platform.hand(word, chat)
        await gateway.sessions.drained()
    await gateway.outbox.drained()


def test_jumps_cost_nothing(house: Any, jumpy: Any) -> None:
    house.run(lambda gateway: rounds(house, gateway, jumpy), clock=jumpy)
    assert house.ledger.faultless, house.ledger


def test_jumps_between_two_processes_cost_nothing(house: Any, jumpy: Any) -> None:
    """A process ends in the midst of its turns; the next one lives in another time."""
    for jump in (*JUMPS, timedelta()):

        async def work(gateway: Any) -> None:
            await gateway.sessions.drained()
            await gateway.outbox.drained()
            house.brain.hold()
            for chat in range(CHATS):
                await house.platform.says(f"c{chat}")

        house.brain.go()
        house.run(work, clock=jumpy)
        jumpy.ahead += jump
    house.brain.go()
    house.run(lambda gateway: settled(gateway), clock=jumpy)
    assert house.ledger.faultless, house.ledger


async def settled(gateway: Any) -> None:
    await gateway.sessions.drained()
    await gateway.outbox.drained()


def test_what_comes_again_is_known_whatever_the_clock_says(house: Any, jumpy: Any) -> None:
    """The store forgets what is old; a clock that jumps makes nothing old."""
    house.run(lambda gateway: again(house, gateway, jumpy), clock=jumpy)
    assert house.ledger.faultless, house.ledger


def test_what_comes_again_is_known_in_the_next_process(house: Any, jumpy: Any) -> None:
    """The clock jumps while no gateway runs, as that of a machine that starts without a battery."""

    async def talk(gateway: Any) -> None:
        await house.platform.says("c0")
        await settled(gateway)

    async def repeat(gateway: Any) -> None:
        for word in ("#c0.0", "#c0.1"):
            await house.platform.hand(word, "c0")
        await settled(gateway)

    house.run(talk, clock=jumpy)
    jumpy.ahead += timedelta(days=400)
    house.run(talk, clock=jumpy)
    house.run(repeat, clock=jumpy)
    jumpy.ahead -= timedelta(days=800)
    house.run(repeat, clock=jumpy)
    assert house.ledger.faultless, house.ledger


def test_the_detector_sees_what_a_jump_lets_the_store_forget(house: Any, jumpy: Any) -> None:
    """Negative control: a store that believes the clock."""
    from nanobot_store_sqlite.store import SteadyTime

    house.patch.setattr(SteadyTime, "now", lambda self: jumpy.now().timestamp())
    house.run(lambda gateway: again(house, gateway, jumpy), clock=jumpy)
    assert house.ledger.doubled


async def again(house: Any, gateway: Any, clock: Any) -> None:
    """Let a message come once more after a jump, and after what is old was forgotten."""
    from nanobot_store_sqlite import operations

    await house.platform.says("c0")
    await settled(gateway)
    clock.ahead += timedelta(days=400)
    store = gateway.store
    now = store._time.now()
    await store._writer.ask(operations.prune, now - 14 * 86_400, now - 400 * 86_400)
    await house.platform.hand("#c0.0", "c0")
    await settled(gateway)


def test_pauses_are_sane(house: Any, jumpy: Any) -> None:
    """Each attempt to deliver finds the clock elsewhere."""
    jumps = iter([*JUMPS, *JUMPS])

    async def work(gateway: Any) -> None:
        tries: dict[str, int] = {}

        async def fails(message: Any) -> bool:
            jumpy.ahead += next(jumps)
            tries[message.id] = tries.get(message.id, 0) + 1
            if tries[message.id] < 3:
                raise DeliveryError("not now")
            return True

        house.platform.deliver = fails
        for _ in range(2):
            await house.platform.says("c0")
            await settled(gateway)

    house.run(work, clock=jumpy)
    assert house.ledger.faultless, house.ledger
    pauses = [pause for pause in jumpy.slept if pause != 3600]  # the store looks every hour
    assert len(pauses) == 4 and all(0 < pause <= 30 for pause in pauses)


CODE = 600


@pytest.mark.parametrize(
    ("jump", "good"),
    [(0, True), (CODE - 60, True), (CODE + 60, False), (-86_400, False), (86_400 * 400, False)],
)
def test_a_pairing_code_lives_ten_minutes_at_most(
    house: Any, jumpy: Any, jump: int, good: bool
) -> None:
    """A clock that jumps may end a code too soon, but keeps none alive; the next one works."""

    async def work(gateway: Any) -> None:
        async def code() -> str:
            before = len(house.platform.shown)
            await house.platform.hand("hello", "c9", id=f"m{jumpy.ahead}", user="stranger")
            await house.platform.until(lambda: len(house.platform.shown) > before)
            (waiting,) = gateway.pairing.pending()
            assert waiting.code in house.platform.shown[-1].text
            return str(waiting.code)

        first = await code()
        jumpy.ahead += timedelta(seconds=jump)
        assert (gateway.pairing.approve(first) is not None) is good
        if not good:
            gateway.intake._reminded.clear()  # a stranger is reminded once a minute, of a stopwatch
            assert gateway.pairing.approve(await code())
        jumpy.ahead -= timedelta(days=4000)
        assert gateway.pairing.is_approved("wire", ("stranger",)), "an approval has no end"

    house.run(work, clock=jumpy)


def test_the_detector_sees_a_code_that_lives_on(house: Any, jumpy: Any) -> None:
    """Negative control: codes that only a clock that goes forth can end."""
    from nanobot_gateway import pairing

    house.patch.setattr(pairing.PairingStore, "_fresh", lambda self: [*self._pending.values()])

    async def work(gateway: Any) -> None:
        made = gateway.pairing.request("wire", "stranger")
        jumpy.ahead -= timedelta(days=1)
        assert gateway.pairing.approve(made.code)

    house.run(work, clock=jumpy)
