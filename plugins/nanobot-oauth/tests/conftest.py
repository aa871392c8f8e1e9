"""What the tests share: an issuer, a clock that is held, and somebody who signs in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from nanobot_oauth.issuer import Issuer
from nanobot_oauth.session import Session
from nanobot_oauth.specs import Login
from nanobot_oauth.tokens import TokenStore
from nanobot_testing import run
from nanobot_testing.servers.issuer import IssuerServer


class HeldClock:
    """A clock that moves only when somebody waits, or when it is told to."""

    def __init__(self) -> None:
        self.seconds = 1_800_000_000.0
        self.waits: list[float] = []

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.seconds += seconds


@dataclass
class User:
    """Somebody at the screen.

    Attributes:
        does: What is done about an address that is shown; its result is what may be pasted.
    """

    does: Callable[[str], Awaitable[Any]] | None = None
    seen: list[tuple[str, str]] = field(default_factory=list)
    acting: asyncio.Task[Any] | None = None

    def show(self, address: str, *, code: str = "") -> None:
        self.seen.append((address, code))
        if self.does is not None:
            self.acting = asyncio.get_running_loop().create_task(self.does(address))  # type: ignore[arg-type]

    async def pasted(self) -> str:
        assert self.acting is not None
        return str(await self.acting)


@dataclass
class World:
    """An issuer with a login of it."""

    server: IssuerServer
    clock: HeldClock
    login: Login
    folder: Path

    @property
    def store(self) -> TokenStore:
        return TokenStore(self.folder, self.login)

    def issuer(self, **changes: Any) -> Issuer:
        return Issuer(replace(self.login, **changes), self.clock, provider="acme_plan")

    def session(self) -> Session:
        return Session(self.issuer(), self.store)


async def fetch(address: str, *, method: str = "GET") -> tuple[int, str, str]:
    """Ask for an address as a browser does; return status, head and body."""
    place = address.removeprefix("http://")
    host, _, path = place.partition("/")
    name, _, port = host.partition(":")
    reader, writer = await asyncio.open_connection(name, int(port))
    writer.write(f"{method} /{path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())
    answer = (await reader.read()).decode()
    writer.close()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split(" ")[1]), head.lower(), body


@pytest.fixture
def browse() -> Any:
    return fetch


@pytest.fixture
def user() -> User:
    return User()


@pytest.fixture
def in_world(tmp_path: Path) -> Callable[[Callable[[World], Awaitable[None]]], None]:
    """Run a check in a world of its own."""

    @asynccontextmanager
    async def made() -> AsyncIterator[World]:
        async with IssuerServer() as server:
            login = Login(
                issuer=server.base_url,
                client_id=server.client_id,
                scopes=("openid", "chat"),
                token_path="/token",
                authorize_path="/authorize",
                device_path="/device",
                redirect="http://localhost/auth/callback",
                fields={"prompt": "login"},
                callback_origin="https://accounts.example",
            )
            yield World(server, HeldClock(), login, tmp_path / "providers.acme_plan")

    def start(check: Callable[[World], Awaitable[None]]) -> None:
        async def go() -> None:
            async with made() as world:
                await check(world)

        run(go())

    return start
