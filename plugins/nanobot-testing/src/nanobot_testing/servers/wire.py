"""A small HTTP server that answers from a script, byte for byte.

It listens on a loopback port of the system's choice, keeps every request, and can do what a
well-behaved server never does: split a character over two packets, stall, reset, or close in the
midst of a chunk.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import TracebackType
from typing import Any, Self


class Act(Enum):
    """Something to do between two pieces of a body."""

    HANG = "hang"
    """Send nothing more; keep the connection open until the client leaves."""
    RESET = "reset"
    """Reset the connection (RST)."""
    CLOSE = "close"
    """Close the connection without the rest of the body."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer.

    Args:
        body: Pieces, each sent as a packet and chunk of its own, and acts between them.
        chunked: False sends the pieces as one body with a content length.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[bytes | Act] = ()
    chunked: bool = True


@dataclass(kw_only=True)
class Request:
    """One request as it came in.

    Attributes:
        closed: Set once the client has closed the connection or taken the whole answer.
        finished: True when the whole answer was sent.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    finished: bool = False

    @property
    def json(self) -> Any:
        """Return the body, parsed."""
        return json.loads(self.body)


def sse(data: object, *, event: str = "") -> bytes:
    """Return one server-sent event; a string is sent as it is, anything else as JSON."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False)
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {text}\n\n".encode()


def json_reply(data: object, *, status: int = 200, **headers: str) -> Reply:
    """Return a plain JSON answer."""
    return Reply(
        status=status,
        headers={"content-type": "application/json", **headers},
        body=[json.dumps(data, ensure_ascii=False).encode()],
        chunked=False,
    )


class ScriptedServer:
    """Answers requests with queued replies; repeats the last one when the queue is empty.

    Use as ``async with ScriptedServer() as server``.
    """

    base_path = ""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._queue: deque[Reply] = deque()
        self._last: Reply | None = None
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.port = 0

    @property
    def base_url(self) -> str:
        """Return the address to configure as ``apiBase``."""
        return f"http://127.0.0.1:{self.port}{self.base_path}"

    def reply(self, *replies: Reply) -> None:
        """Queue answers."""
        self._queue.extend(replies)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._server
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await self._read(reader):
                self.requests.append(request)
                reply = self.answer(request)
                try:
                    if not await self._write(reader, writer, reply):
                        return
                    request.finished = True
                finally:
                    request.closed.set()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass
        finally:
            writer.close()

    def answer(self, request: Request) -> Reply:
        """Choose the answer to a request."""
        if self._queue:
            self._last = self._queue.popleft()
        if self._last is None:
            return json_reply({"error": {"message": "the test queued no reply"}}, status=500)
        return self._last

    @staticmethod
    async def _read(reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        lines = head.decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {}
        for line in lines[1:]:
            if ":" in line:
                name, value = line.split(":", 1)
                headers[name.strip().lower()] = value.strip()
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        return Request(method=method, path=path, headers=headers, body=body)

    @staticmethod
    async def _write(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, reply: Reply
    ) -> bool:
        pieces = list(reply.body)
        headers = {"content-type": "text/event-stream", **reply.headers}
        if reply.chunked:
            headers["transfer-encoding"] = "chunked"
        else:
            headers["content-length"] = str(sum(len(p) for p in pieces if isinstance(p, bytes)))
        head = f"HTTP/1.1 {reply.status} Scripted\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        writer.write(head.encode("latin-1") + b"\r\n")
        await writer.drain()
        for piece in pieces:
            if piece is Act.HANG:
                await reader.read(1)
                return False
            if piece is Act.CLOSE:
                return False
            if piece is Act.RESET:
                sock: socket.socket = writer.get_extra_info("socket")
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            assert isinstance(piece, bytes)
            if piece:
                framed = b"%x\r\n%s\r\n" % (len(piece), piece) if reply.chunked else piece
                writer.write(framed)
                await writer.drain()
        if reply.chunked:
            writer.write(b"0\r\n\r\n")
            await writer.drain()
        return True
