"""Catching up after a connection was lost."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.events import StreamEnd, TextDelta, TurnFinished, TurnStarted
from nanobot.messages import StopReason
from nanobot_channel_websocket import chats as chats_module
from nanobot_channel_websocket import ring as ring_module
from nanobot_channel_websocket.ring import Ring, Run

STARTED = TurnStarted(turn_id="internal", session_key="websocket:c1")
END = TurnFinished(content="x", stop_reason=StopReason.COMPLETED)


def text_of(events: list[dict[str, Any]]) -> str:
    return "".join(event["text"] for event in events if event["event"] == "delta")


@pytest.mark.parametrize("lost_after", [0, 1, 7, 99])
def test_a_client_that_was_away_reads_the_same_text(go: Any, lost_after: int) -> None:
    """Checked while the answer is still being written, and again at its end."""

    async def work(lab: Any) -> None:
        steady, shaky = await lab.connect(), await lab.connect()
        await steady.attach("c1")
        last = (await shaky.attach("c1"))["seq"]
        seen: list[dict[str, Any]] = []
        lab.show("c1", "t1", STARTED)
        for number in range(100):
            lab.show("c1", "t1", TextDelta(text=f"w{number} "))
            if number == lost_after:
                seen += await shaky.settle()
                last = seen[-1]["seq"]
                shaky.connection.transport.abort()
                await shaky.connection.wait_closed()
        back = await lab.connect()
        attached = await back.attach("c1", last_seq=last)
        assert attached["gap"] is False
        seen += await back.settle()
        live = await steady.settle()
        assert text_of(seen) == text_of(live) == "".join(f"w{n} " for n in range(100))
        assert seen[-1]["event"] == "goal_status" and seen[-1]["status"] == "running"
        lab.show("c1", "t1", TextDelta(text="end"), StreamEnd(resuming=False), END)
        rest, more = await back.settle(), await steady.settle()
        assert rest == more and rest[0]["event"] == "delta"

    go(work)


def test_attaching_without_a_number_replays_nothing(go: Any) -> None:
    async def work(lab: Any) -> None:
        lab.show("c1", "t1", STARTED, TextDelta(text="a"))
        client = await lab.connect()
        attached = await client.attach("c1")
        assert "gap" not in attached
        told = await client.settle()
        assert [event["event"] for event in told] == ["goal_status"], "a turn is running"

    go(work)


def test_nobody_listens_and_nothing_is_lost(go: Any) -> None:
    async def work(lab: Any) -> None:
        first = await lab.connect()
        last = (await first.attach("c1"))["seq"]
        first.connection.transport.abort()
        await first.connection.wait_closed()
        sent = await lab.send("c1", "while you were away")
        assert sent == "out-1"
        lab.show("c1", "t1", STARTED, TextDelta(text="and "), TextDelta(text="more"), END)
        back = await lab.connect()
        attached = await back.attach("c1", last_seq=last)
        told = await back.settle()
        assert told[0]["text"] == "while you were away" and text_of(told) == "and more"
        assert told[-1]["seq"] == attached["seq"]

    go(work)


def test_numbers_from_before_a_restart_are_a_gap(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        assert (await client.attach("c1", last_seq=17))["gap"] is True
        attached = await client.attach("c1")
        ahead = attached["seq"] + 5
        assert (await client.attach("c1", last_seq=ahead))["gap"] is True
        assert (await client.attach("c1", last_seq=attached["seq"]))["gap"] is False

    go(work)


def test_what_reaches_further_back_is_a_gap(go: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(ring_module, "EVENTS", 10)

    async def work(lab: Any) -> None:
        client = await lab.connect()
        start = (await client.attach("c1"))["seq"]
        for number in range(25):
            lab.show("c1", "t1", TextDelta(text=f"{number} "))
        await client.settle()
        attached = await client.attach("c1", last_seq=start)
        assert attached["gap"] is True and attached["seq"] == start + 26
        told = await client.settle()
        assert text_of(told) == "".join(f"{n} " for n in range(15, 25)), "what is left"
        assert (await client.attach("c1", last_seq=start + 16))["gap"] is False

    go(work)


def test_a_long_answer_in_small_pieces(go: Any) -> None:
    """Two megabytes: the work for a piece does not grow with what was said before."""

    async def work(lab: Any) -> None:
        client = await lab.connect(max_size=None)
        await client.attach("c1")
        piece, count = "0123456789abcdef" * 4, 2 * 2**20 // 64
        lab.show("c1", "t1", STARTED)
        got = 0
        for start in range(0, count, 256):
            for _ in range(start, min(start + 256, count)):
                lab.show("c1", "t1", TextDelta(text=piece))
            got += len(text_of(await client.settle()))
        assert got == 2 * 2**20
        (chat,) = [c for c in lab.channel._chats._chats.values() if c.id == "c1"]
        assert chat.ring.size <= ring_module.BYTES and chat.ring.events <= ring_module.EVENTS

    go(work)


def test_all_chats_together_keep_a_bounded_amount(go: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(chats_module, "TOTAL_BYTES", 100_000)

    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.attach("watched")
        for number in range(200):
            await lab.send(f"c{number}", "x" * 1000, id=f"m{number}")
        kept = lab.channel._chats
        sizes = {chat.id: chat.ring.size for chat in kept._chats.values()}
        assert sum(sizes.values()) == kept._kept <= 100_000
        assert sizes["c199"] > 0 and "c0" not in sizes and "watched" in sizes

    go(work, fast={})


def test_a_chat_without_anything_is_forgotten(go: Any) -> None:
    async def work(lab: Any) -> None:
        for _ in range(3):
            client = await lab.connect()
            await client.attach("c1")
            client.connection.transport.abort()
            await client.connection.wait_closed()
        while lab.channel._clients:
            await (next(iter(lab.channel._clients))).link.wait_closed()
        assert not lab.channel._chats._chats

    go(work)


def test_many_chats_are_forgotten_in_their_order(monkeypatch: Any) -> None:
    monkeypatch.setattr(chats_module, "MOST_CHATS", 100)
    chats = chats_module.Chats()
    for number in range(500):
        chat = chats.get(f"c{number}")
        chat.tell("message", {"text": "x"})
        chats.flush(chat)
    assert len(chats._chats) <= 200 and "c499" in chats._chats and "c0" not in chats._chats


def test_a_run_of_text_is_replayed_from_any_piece() -> None:
    ring = Ring()
    run = Run('{"event":"delta","text":', ',"stream_id":"s"', 5, 0)
    ring.start(run)
    for piece in "abcd":
        assert ring.grow(run, piece)
    ring.add(9, b"event")
    assert not ring.grow(run, "e"), "something came in between"
    assert ring.first(10) == 5

    def texts(seq: int) -> list[bytes]:
        return [data[2:] for data in ring.after(seq)]

    assert texts(6)[0] == b'{"event":"delta","text":"cd","stream_id":"s","seq":8}'
    assert list(ring.after(8)) == [b"event"] and list(ring.after(9)) == []
    ring.clear()
    assert ring.first(10) == 10 and ring.size == 0
