"""A running channel with clients, for tests."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nanobot.events import TurnEvent
from nanobot.messages import Target
from nanobot_channel_websocket.channel import WebSocketChannel, open_channel
from nanobot_channel_websocket.config import WebSocketConfig
from nanobot_gateway.channel import Accepted, Incoming, Outgoing, Update
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host, channel_context
from nanobot_testing.host import load_spec
from websockets.asyncio.client import ClientConnection, connect

PLUGIN = "channels.websocket"
TOKEN = "a-token-for-tests"
HERE = Path(__file__).parent


class HeldClock:
    """Time that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.time, UTC)

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


class Chatter:
    """A client that speaks JSON."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.chat = ""

    async def next(self) -> dict[str, Any]:
        event = json.loads(await self.connection.recv())
        assert isinstance(event, dict)
        return event

    async def until(self, name: str) -> list[dict[str, Any]]:
        """Return all events up to one of the given name."""
        seen = [await self.next()]
        while seen[-1]["event"] != name:
            seen.append(await self.next())
        return seen

    async def send(self, frame: Mapping[str, Any] | str | bytes) -> None:
        raw = json.dumps(frame) if isinstance(frame, Mapping) else frame
        await self.connection.send(raw)

    async def ask(self, frame: Mapping[str, Any] | str | bytes) -> dict[str, Any]:
        await self.send(frame)
        return await self.next()

    async def attach(self, chat: str, **more: Any) -> dict[str, Any]:
        await self.send({"type": "attach", "chat_id": chat, **more})
        return (await self.until("attached"))[-1]

    async def settle(self) -> list[dict[str, Any]]:
        """Return all events that came before the answer to a ping."""
        await self.send({"type": "ping"})
        return (await self.until("pong"))[:-1]


class Lab:
    """A running channel."""

    def __init__(self, channel: WebSocketChannel, host: Host, folder: Path) -> None:
        self.channel = channel
        self.host = host
        self.folder = folder
        self.clock = HeldClock()
        self._open: list[ClientConnection] = []
        self._streams: list[asyncio.StreamWriter] = []

    @property
    def port(self) -> int:
        return self.channel.port

    async def connect(self, query: str = f"token={TOKEN}", **options: Any) -> Chatter:
        """Return a client that has read `ready`."""
        uri = options.pop("uri", f"ws://127.0.0.1:{self.port}/?{query}")
        connection = await connect(uri, **{"compression": None, **options})
        self._open.append(connection)
        client = Chatter(connection)
        ready = await client.next()
        assert ready["event"] == "ready"
        client.chat = ready["chat_id"]
        return client

    async def request(
        self, path: str, headers: Mapping[str, str] | None = None, *, upgrade: bool = False
    ) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body of an HTTP answer to exactly these headers."""
        reader, writer = await self.streams()
        sent = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
        if upgrade:
            sent |= {
                "Connection": "Upgrade",
                "Upgrade": "websocket",
                "Sec-WebSocket-Version": "13",
                "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            }
        head = "".join(f"{name}: {value}\r\n" for name, value in sent.items())
        writer.write(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        raw = await reader.readuntil(b"\r\n\r\n")
        lines = raw.decode().split("\r\n")
        status = int(lines[0].split()[1])
        got = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        body = await reader.readexactly(int(got.get("content-length", 0)))
        return status, got, body

    async def streams(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Return a connection to the port on which nothing was said yet."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._streams.append(writer)
        return reader, writer

    async def raw(self, query: str = f"token={TOKEN}") -> tuple[Any, Any]:
        """Return the streams of a connection that is open; frames are the caller's matter."""
        reader, writer = await self.streams()
        head = (
            f"GET /?{query} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: Upgrade\r\n"
            "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        writer.write(head.encode())
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
        return reader, writer

    def show(self, chat: str, answers: str, *events: TurnEvent) -> None:
        target = Target(channel="websocket", chat=chat)
        key = f"websocket:{chat}"
        self.channel.show(Update(target=target, session_key=key, answers=answers, events=events))

    async def send(self, chat: str, text: str, *, id: str = "out-1", **more: Any) -> str:
        target = Target(channel="websocket", chat=chat)
        return await self.channel.send(Outgoing(id=id, target=target, text=text, **more))

    async def close(self) -> None:
        for connection in self._open:
            connection.transport.abort()
            await connection.wait_closed()
        for writer in self._streams:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


Work = Callable[[Lab], Awaitable[Any]]
Go = Callable[..., Any]


@pytest.fixture
def go(tmp_path: Path) -> Go:
    """Return a function that runs some work on a running channel.

    Keywords are the section's settings. `accept` replaces what takes messages; `fast` are fields
    that are set past their bounds.
    """

    @asynccontextmanager
    async def running(
        accept: Callable[[Incoming], Awaitable[Accepted]] | None,
        fast: Mapping[str, Any],
        settings: Mapping[str, Any],
    ) -> AsyncIterator[Lab]:
        spec, host = load_spec(PLUGIN), Host()
        section = {"enabled": True, "port": 0, "token": TOKEN, **settings}
        config = WebSocketConfig.model_validate(section).model_copy(update=dict(fast))
        clock = HeldClock()
        context = replace(channel_context(spec, tmp_path, host, PLUGIN), clock=clock)
        if accept is not None:
            context = replace(context, accept=accept)
        async with open_channel(config, context) as channel:
            assert isinstance(channel, WebSocketChannel)
            lab = Lab(channel, host, tmp_path)
            lab.clock = clock
            task = asyncio.create_task(channel.run())
            ready = asyncio.create_task(host.until_ready())
            await asyncio.wait([task, ready], return_when=asyncio.FIRST_COMPLETED)
            try:
                if task.done():
                    task.result()
                yield lab
            finally:
                await lab.close()
                for each in (ready, task):
                    each.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await each

    def start(
        work: Work,
        *,
        accept: Callable[[Incoming], Awaitable[Accepted]] | None = None,
        fast: Mapping[str, Any] | None = None,
        **settings: Any,
    ) -> Any:
        async def inside() -> Any:
            async with running(accept, fast or {}, settings) as lab:
                return await work(lab)

        return run(inside(), seconds=25)

    return start


@pytest.fixture
def token() -> str:
    """Return the secret that the channel is configured with."""
    return TOKEN


def rows(name: str) -> list[dict[str, Any]]:
    """Return the rows of a corpus."""
    items = json.loads((HERE / "corpora" / f"{name}.json").read_text())["items"]
    assert isinstance(items, list) and items
    return items


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test that takes an argument such as `ws_frames_row` with each row of that corpus."""
    for name in metafunc.fixturenames:
        if name.endswith("_row"):
            found = rows(name.removesuffix("_row"))
            metafunc.parametrize(name, found, ids=[row["id"] for row in found])
