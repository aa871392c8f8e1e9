"""The channel contract, held by the WebSocket channel."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from nanobot_testing import ChannelContract
from nanobot_testing.contracts.channel import Sent
from websockets.asyncio.client import ClientConnection, connect

TOKEN = "contract-token"


class Clients:
    """People with WebSocket clients; here the platform is who connects."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.connections: dict[str, ClientConnection] = {}
        self.sent: list[Sent] = []
        self.refused = asyncio.Event()
        self.last: tuple[str, dict[str, Any]] = ("", {})
        self._news = asyncio.Condition()
        self._readers: list[asyncio.Task[None]] = []
        self._count = 0

    @property
    def config(self) -> Mapping[str, object]:
        return {"enabled": True, "port": self.port, "token": TOKEN}

    wrong_config = None

    async def client(self, user: str) -> ClientConnection:
        if user not in self.connections:
            url = f"ws://127.0.0.1:{self.port}/?client_id={user}&token={TOKEN}"
            connection = self.connections[user] = await connect(url)
            ready = json.loads(await connection.recv())
            assert ready["event"] == "ready"
            attached = asyncio.Event()
            self._readers.append(asyncio.create_task(self._read(connection, attached)))
            await connection.send(json.dumps({"type": "attach", "chat_id": "u1"}))
            await attached.wait()
        return self.connections[user]

    async def _read(self, connection: ClientConnection, attached: asyncio.Event) -> None:
        async for raw in connection:
            event = json.loads(raw)
            if event["event"] == "attached":
                attached.set()
            if event["event"] == "message":
                async with self._news:
                    sent = Sent(chat=event["chat_id"], text=event["text"], id=event["message_id"])
                    self.sent.append(sent)
                    self._news.notify_all()
            elif event["event"] == "error":
                assert event["detail"] == "storage_unavailable"
                self.refused.set()

    async def say(
        self, text: str, *, user: str = "u1", chat: str = "", again: bool = False
    ) -> None:
        self._count += not again
        frame = {
            "type": "message",
            "chat_id": chat or "u1",
            "content": text,
            "turn_id": f"turn-{self._count}",
        }
        self.last = (user, frame)
        await (await self.client(user)).send(json.dumps(frame))

    async def say_last_again(self) -> None:
        await self.refused.wait()
        user, frame = self.last
        await self.connections[user].send(json.dumps(frame))

    async def received(self, count: int) -> Sequence[Sent]:
        async with self._news:
            await self._news.wait_for(lambda: len(self.sent) >= count)
        return self.sent

    async def refuse(self, *, retryable: bool) -> None:
        raise NotImplementedError("a client takes no part in a delivery")

    async def drop(self) -> None:
        for connection in self.connections.values():
            connection.transport.abort()
        self.connections.clear()

    async def close(self) -> None:
        for connection in self.connections.values():
            await connection.close()
        await asyncio.gather(*self._readers, return_exceptions=True)


class TestWebSocket(ChannelContract):
    plugin = "channels.websocket"
    local: ClassVar[bool] = True

    @asynccontextmanager
    async def platform(self, folder: Path) -> AsyncIterator[Clients]:
        clients = Clients()
        try:
            yield clients
        finally:
            await clients.close()

    async def after_a_refusal(self, platform: Any) -> None:
        await platform.say_last_again()

    async def before_sending(self, platform: Any, host: Any) -> None:
        await platform.client("u1")

    @pytest.mark.xfail(reason="a message is delivered once it is kept for clients; nobody refuses")
    @pytest.mark.parametrize("retryable", [True, False])
    def test_a_refused_delivery_is_told(self, connected: Any, retryable: bool) -> None:
        super().test_a_refused_delivery_is_told(connected, retryable)
