"""What is confirmed to Telegram, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from nanobot.errors import StorageError
from nanobot.messages import Image, text_of
from nanobot_gateway.channel import Accepted, Incoming, Verdict
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def photo(number: int) -> list[dict[str, Any]]:
    return [{"file_id": f"p{number}", "file_unique_id": f"p{number}", "width": 9, "height": 9}]


async def album(server: Any, number: int, **fields: Any) -> None:
    server.files[f"p{number}"] = PNG + bytes([number])
    await server.write(photo=photo(number), media_group_id="g1", **fields)


class Picky:
    """Stores messages, except those whose text it is told to refuse for now."""

    def __init__(self) -> None:
        self.refused: set[str] = set()
        self.stored: list[str] = []
        self.news = asyncio.Condition()

    async def accept(self, message: Incoming) -> Accepted:
        text = text_of(message.parts)
        async with self.news:
            if text in self.refused:
                raise StorageError("the disk is full")
            self.stored.append(text)
            self.news.notify_all()
        return Accepted(verdict=Verdict.TURN, turn=message.id)

    async def until(self, count: int) -> list[str]:
        async with self.news:
            await self.news.wait_for(lambda: len(self.stored) >= count)
        return self.stored


def test_the_offset_stays_before_what_is_not_stored(connected: Any, held_clock: Any) -> None:
    """Ann's first message can not be stored: hers wait in order, Bo's go on, none is repeated."""
    picky = Picky()
    picky.refused = {"a1"}

    async def work(channel: Any, server: Any, host: Host) -> None:
        async with server.news:  # all four come in one batch
            for user, text in (("u2", "b0"), ("u1", "a1"), ("u2", "b1"), ("u1", "a2")):
                server.pending.append(
                    {
                        "update_id": 9000 + len(server.pending),
                        "message": server.message(text=text, user=user),
                    }
                )
            server.news.notify_all()
        _, woken = await held_clock.asleep()
        assert picky.stored == ["b0", "b1"]
        woken.set()
        _, woken = await held_clock.asleep()
        assert server.offsets[-1] == 9001  # past b0, not past a1
        assert [u["update_id"] for u in server.pending] == [9001, 9002, 9003]
        picky.refused.clear()
        woken.set()
        assert await picky.until(4) == ["b0", "b1", "a1", "a2"]
        await server.confirmed()
        assert server.offsets[-1] == 9004

    connected(work, context={"clock": held_clock, "accept": picky.accept})


def test_what_is_not_stored_is_asked_for_after_a_pause(connected: Any, held_clock: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        host.storage_fails = 1
        await server.write(text="precious")
        seconds, woken = await held_clock.asleep()
        assert seconds > 0 and not host.messages
        asked = len(server.offsets)
        woken.set()
        await host.until(1)
        assert server.waits[asked] == 0  # it does not wait for news meanwhile

    connected(work, context={"clock": held_clock})


def test_nothing_is_confirmed_before_it_is_accepted(connected: Any) -> None:
    entered, go = asyncio.Event(), asyncio.Event()

    async def slow(message: Incoming) -> Accepted:
        entered.set()
        await go.wait()
        return Accepted(verdict=Verdict.TURN, turn=message.id)

    async def work(channel: Any, server: Any, host: Host) -> None:
        number = await server.update(message=server.message(text="x"))
        await entered.wait()
        assert server.offsets == [None] and server.pending
        go.set()
        await server.confirmed()
        assert server.offsets == [None, number + 1]

    connected(work, context={"accept": slow})


def test_an_album_is_one_message(connected: Any, held_clock: Any) -> None:
    """It is waited for without confirming a part of it; others are not held up."""

    async def work(channel: Any, server: Any, host: Host) -> None:
        await album(server, 1, caption="our trip")
        seconds, woken = await held_clock.asleep()
        assert seconds == 0.6
        await album(server, 2)
        await server.write(text="meanwhile", user="u2")
        await server.write(text="after the album")
        woken.set()
        _, woken = await held_clock.asleep()
        assert [text_of(m.parts) for m in host.messages] == ["meanwhile"]
        assert not [offset for offset in server.offsets if offset]
        woken.set()
        await server.confirmed()
        _, whole, after = host.messages
        pictures = [part for part in whole.parts if isinstance(part, Image)]
        assert [p.data[-1] for p in pictures] == [1, 2]
        assert text_of(whole.parts).endswith("our trip")
        assert text_of(after.parts) == "after the album"
        assert whole.id == "1:album:2"

    connected(work, context={"clock": held_clock})


def test_an_album_that_can_not_be_stored_comes_again_whole(connected: Any, held_clock: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        host.storage_fails = 1
        async with server.news:
            for number in (1, 2):
                server.files[f"p{number}"] = PNG
                message = server.message(photo=photo(number), media_group_id="g1")
                server.pending.append({"update_id": 9000 + number, "message": message})
            server.news.notify_all()
        for pause in (0.6, 1.0):  # for the rest of it, then for the disk
            seconds, woken = await held_clock.asleep()
            assert seconds == pause and not host.messages and not any(server.offsets)
            woken.set()
        (message,) = await host.until(1)
        assert len([p for p in message.parts if isinstance(p, Image)]) == 2
        await server.confirmed()

    connected(work, context={"clock": held_clock})


def test_a_full_album_needs_no_waiting(connected: Any, held_clock: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        async with server.news:
            for number in range(10):
                server.files[f"p{number}"] = PNG
                message = server.message(photo=photo(number), media_group_id="g1")
                server.pending.append({"update_id": 9000 + number, "message": message})
            server.news.notify_all()
        (message,) = await host.until(1)
        assert len(message.parts) == 10

    connected(work, context={"clock": held_clock})


def test_an_update_that_can_not_be_read_keeps_nothing_back(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.update(message={"message_id": 5, "chat": "no chat"})
        await server.write(text="next")
        (message,) = await host.until(1)
        assert text_of(message.parts) == "next"
        await server.confirmed()

    connected(work)


def test_ids_may_start_anew_after_a_quiet_week(connected: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("nanobot_channel_telegram.polling.POLL_S", 0)

    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.write(text="old")
        await host.until(1)
        async with server.news:
            await server.news.wait_for(lambda: server.offsets[-2:] == [None, None])
            server.pending.append({"update_id": 3, "message": server.message(text="new")})
            server.news.notify_all()
        assert text_of((await host.until(2))[1].parts) == "new"

    connected(work)


@pytest.mark.parametrize("error", [RuntimeError("a fault"), OSError("another")])
def test_another_failure_ends_the_run_and_confirms_nothing(
    api: Any, open_channel: Any, tmp_path: Any, error: Exception
) -> None:
    async def fail(message: Incoming) -> Accepted:
        raise error

    async def inside() -> None:
        async with api.BotApi() as server:
            await server.write(text="x")
            async with open_channel(server.config, tmp_path, Host(), accept=fail) as (channel, _):
                with pytest.raises(type(error)):
                    await channel.run()
            assert server.pending and not any(server.offsets)

    run(inside())
