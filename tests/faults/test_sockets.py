"""Readers that do not keep up, and many chats at once, over real WebSockets."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from nanobot.messages import FinishReason, Usage
from nanobot.provider import ModelFinish, ModelText
from nanobot_testing import run
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

QUEUE_BYTES = 2**18
PIECE = "0123456789" * 10_000
SECONDS = 60


class Talker:
    """A client with one connection, which keeps the ledger."""

    def __init__(self, connection: ClientConnection, house: Any) -> None:
        self.connection = connection
        self.text: dict[str, str] = {}
        self._house = house

    async def send(self, word: str) -> None:
        chat = word.strip("#").partition(".")[0]
        frame = {"type": "message", "chat_id": chat, "content": word, "turn_id": word.strip("#")}
        await self.connection.send(json.dumps(frame))

    async def says(self, chat: str) -> str:
        word = str(self._house.ledger.say(chat))
        await self.send(word)
        return word

    async def next(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(await self.connection.recv())
        chat = event.get("chat_id", "")
        if event["event"] == "delta":
            self.text[chat] = self.text.get(chat, "") + event["text"]
        elif event["event"] == "stream_end":
            self._house.ledger.take(self.text.get(chat, ""))
            self.text[chat] = ""
        elif event["event"] == "message":
            self._house.ledger.take(event.get("text", ""))
        return event

    async def until(self, *names: str) -> dict[str, Any]:
        while (event := await self.next())["event"] not in names:
            pass
        return event

    async def attach(self, chat: str) -> None:
        await self.connection.send(json.dumps({"type": "attach", "chat_id": chat}))
        await self.until("attached")


@pytest.fixture
def listening(house: Any) -> Any:
    """Return a house with a WebSocket."""
    house.use("channels.websocket", None)
    house.config["channels"]["websocket"] = {
        "enabled": True,
        "port": 0,
        "token": "let-me-in",
        "maxQueueBytes": QUEUE_BYTES,
    }
    return house


def channel(gateway: Any) -> Any:
    return gateway.channels._open["websocket"]


@asynccontextmanager
async def talking(house: Any, gateway: Any, name: str, **options: Any) -> AsyncIterator[Talker]:
    port = channel(gateway).port
    url = f"ws://127.0.0.1:{port}/?client_id={name}&events=all&token=let-me-in"
    options = {"compression": None, "max_size": None, "open_timeout": SECONDS, **options}
    connection = await connect(url, **options)
    try:
        talker = Talker(connection, house)
        await talker.until("ready")
        yield talker
    finally:
        connection.transport.abort()
        await connection.wait_closed()


# --- a reader that does not keep up -------------------------------------------------------------


class Novel:
    """A long text, written no faster than one reader reads it.

    Args:
        is_over: Tells, given the number of its pieces, whether there are enough.
    """

    def __init__(self, is_over: Callable[[int], bool]) -> None:
        self._is_over = is_over
        self._news = asyncio.Event()
        self._read: list[str] = []
        self.pieces = 0

    @property
    def text(self) -> str:
        return "".join(self._read)

    async def write(self) -> AsyncIterator[str]:
        while not self._is_over(self.pieces):
            self.pieces += 1
            yield PIECE
            while sum(map(len, self._read)) < self.pieces * len(PIECE):
                self._news.clear()
                await self._news.wait()

    async def read(self, talker: Talker) -> None:
        while True:
            event = json.loads(await talker.connection.recv())
            if event["event"] == "delta":
                self._read.append(event["text"])
                self._news.set()
            elif event["event"] == "turn_end":
                return


class Novelist:
    """A model that writes a novel in one chat, and is brief in all others."""

    def __init__(self, brief: Any, novel: Novel) -> None:
        self._brief = brief
        self._novel = novel

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        answer = [event async for event in self._brief.stream(request)]
        if "#novel." not in answer[0].text:
            for event in answer:
                yield event
            return
        async for piece in self._novel.write():
            yield ModelText(text=piece)
        yield ModelFinish(reason=FinishReason.STOP, usage=Usage())


def links(gateway: Any) -> list[Any]:
    return [client.link for client in channel(gateway)._clients]


def cut(gateway: Any) -> list[Any]:
    """Return the connections that were found too slow."""
    return [link for link in links(gateway) if link._cutting]


def test_a_slow_reader_is_cut_and_holds_up_nobody(listening: Any) -> None:
    async def work() -> None:
        async with (
            listening.gateway() as gateway,
            talking(listening, gateway, "quick") as quick,
            talking(listening, gateway, "other") as other,
            talking(listening, gateway, "slow", max_queue=1) as slow,
        ):
            was_cut = asyncio.Event()

            def over(pieces: int) -> bool:
                if cut(gateway):
                    was_cut.set()
                return was_cut.is_set()

            novel = Novel(over)
            listening.brain = Novelist(listening.brain, novel)
            for talker in (quick, slow):
                await talker.attach("novel")
            slow.connection.transport.pause_reading()
            await quick.send("#novel.0")
            reading = asyncio.create_task(novel.read(quick))
            while not was_cut.is_set():
                await other.says("other")
                await other.until("turn_end")
            slow.connection.transport.resume_reading()
            with suppress(ConnectionClosed):
                while True:
                    await slow.next()
            assert slow.connection.close_code == 1013
            assert "attach again" in (slow.connection.close_reason or "")
            await reading
            assert novel.text == PIECE * novel.pieces
            await quick.says("other")
            await quick.until("turn_end")

    run(work(), seconds=SECONDS)
    assert listening.ledger.faultless, listening.ledger


def test_the_detector_tells_a_slow_reader_from_a_quick_one(listening: Any) -> None:
    """Negative control: who reads everything reads twenty times the queue, and is not cut."""

    async def work() -> None:
        async with listening.gateway() as gateway, talking(listening, gateway, "quick") as quick:
            novel = Novel(lambda pieces: pieces * len(PIECE) > 20 * QUEUE_BYTES)
            listening.brain = Novelist(listening.brain, novel)
            await quick.attach("novel")
            await quick.send("#novel.0")
            await novel.read(quick)
            assert novel.text == PIECE * novel.pieces
            assert not cut(gateway) and len(links(gateway)) == 1

    run(work(), seconds=SECONDS)


# --- many chats ---------------------------------------------------------------------------------

MANY = 256
EACH = 3


async def everybody(house: Any, resigned: int = -1) -> None:
    """Let as many clients talk at once, each in a chat of its own.

    Args:
        resigned: One that goes when a single answer is missing.
    """

    async def one(gateway: Any, number: int) -> None:
        async with talking(house, gateway, f"client{number}") as talker:
            said = {await talker.says(f"chat{number}") for _ in range(EACH)}
            while len(said - set(house.ledger.answered)) > (number == resigned):
                await talker.next()

    async with house.gateway() as gateway:
        async with asyncio.TaskGroup() as clients:
            for number in range(MANY):
                clients.create_task(one(gateway, number))
        await gateway.sessions.drained()
        assert gateway.health().ok


def test_many_chats_at_once_are_all_answered_in_order(listening: Any) -> None:
    run(everybody(listening), seconds=SECONDS)
    assert len(listening.ledger.said) == MANY * EACH
    assert listening.ledger.faultless, listening.ledger


def test_the_detector_sees_one_of_many_that_is_forgotten(listening: Any) -> None:
    """Negative control: a gateway that loses a message in a crowd."""
    from nanobot_gateway.sessions import Sessions

    put = Sessions.put
    forgotten: list[str] = []

    def careless(self: Any, work: Any) -> str:
        if not forgotten and work.inbound.session_key == "websocket:chat200":
            forgotten.append(work.inbound.id)
            return ""
        return put(self, work)

    listening.patch.setattr(Sessions, "put", careless)
    run(everybody(listening, resigned=200), seconds=SECONDS)
    assert forgotten and len(listening.ledger.lost) == 1
