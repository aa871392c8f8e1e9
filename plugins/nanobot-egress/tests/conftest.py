"""A network in a box: names that resolve as told, and one server behind every address."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpcore2
import pytest
import trustme
from nanobot.context import Network
from nanobot_egress import Egress

PUBLIC = "93.184.215.14"
Answer = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


def ok(body: bytes = b"hello", **headers: str) -> bytes:
    lines = {"content-type": "text/plain", "content-length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode("latin-1") + body


def redirect(location: str, status: int = 302) -> bytes:
    head = f"HTTP/1.1 {status} Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n"
    return head.encode("latin-1")


@dataclass
class Asked:
    """A request as the server read it."""

    line: str
    headers: dict[str, str]
    body: bytes
    server_name: str = ""


@dataclass
class Box:
    """The network.

    Attributes:
        dns: Successive answers for each name; the last one is repeated.
        answers: What the server says; the last one is repeated.
        connected: Addresses and ports that were connected to.
        lookups: Names that were looked up.
    """

    dns: dict[str, list[list[str]]] = field(default_factory=dict)
    answers: deque[Answer] = field(default_factory=deque)
    connected: list[tuple[str, int]] = field(default_factory=list)
    lookups: list[str] = field(default_factory=list)
    asked: list[Asked] = field(default_factory=list)
    unreachable: set[str] = field(default_factory=set)
    port: int = 0
    tls_port: int = 0
    tls: bool = False
    server_names: list[str] = field(default_factory=list)
    client_context: ssl.SSLContext | None = None

    async def resolve(self, name: str) -> tuple[str, ...]:
        self.lookups.append(name)
        answers = self.dns.get(name)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        found = answers.pop(0) if len(answers) > 1 else answers[0]
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return tuple(found)

    def egress(self, *allowed: str, **settings: Any) -> Egress:
        return Egress(
            Network(allowed=allowed),
            resolve=self.resolve,
            tls=self.client_context,
            **settings,
        )

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        last: Answer = ok()
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
                headers = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in head[1:] if line)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                self.asked.append(Asked(line=head[0], headers=headers, body=body))
                last = self.answers.popleft() if self.answers else last
                if isinstance(last, bytes):
                    writer.write(last)
                    await writer.drain()
                else:
                    await last(writer)
                    return
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@asynccontextmanager
async def running(box: Box, authority: trustme.CA, names: Iterable[str]) -> AsyncIterator[Box]:
    """Run the server behind a box, plain and with TLS for the given names."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(*names).configure_cert(context)
    context.sni_callback = lambda _socket, name, _context: box.server_names.append(name or "")
    plain = await asyncio.start_server(box.serve, "127.0.0.1", 0)
    secure = await asyncio.start_server(box.serve, "127.0.0.1", 0, ssl=context)
    box.port = plain.sockets[0].getsockname()[1]
    box.tls_port = secure.sockets[0].getsockname()[1]
    try:
        yield box
    finally:
        for server in (plain, secure):
            server.close()


@pytest.fixture
def box(monkeypatch: pytest.MonkeyPatch, authority: trustme.CA) -> Box:
    """Return a box; every connection, to whatever address, ends at its server."""
    made = Box()
    made.client_context = ssl.create_default_context()
    authority.configure_trust(made.client_context)
    connect = httpcore2.AnyIOBackend.connect_tcp

    async def recorded(self: Any, host: str, port: int, **settings: Any) -> Any:
        made.connected.append((host, port))
        if host in made.unreachable:
            raise httpcore2.ConnectError("unreachable")
        behind = made.tls_port if port in (443, 8443) else made.port
        return await connect(self, "127.0.0.1", behind, **settings)

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", recorded)
    return made


@pytest.fixture
def opened(box: Box, authority: trustme.CA) -> Callable[..., Any]:
    def start(*names: str) -> Any:
        return running(box, authority, names or ("example.com",))

    return start


@pytest.fixture
def says() -> Any:
    """Return the makers of answers."""

    class Says:
        ok = staticmethod(ok)
        redirect = staticmethod(redirect)
        public = PUBLIC

    return Says
