"""A gateway that is not there, apps that do what a test wants, and a socket to speak through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from nanobot import log
from nanobot.context import Extension
from nanobot_gateway.service import Health, ServiceContext
from nanobot_service_http.config import HttpConfig
from nanobot_service_http.service import open_service
from nanobot_service_http.specs import WebSpec

TOKEN = "correct-horse-battery-staple"
WELL = Health(ok=True, parts={}, problems=(), counters={})


@dataclass
class Log:
    """Keeps records in place of writing them."""

    records: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    def bind(self, **values: object) -> Log:
        return self

    def _keep(self, level: str, event: str, values: dict[str, Any]) -> None:
        self.records.append((level, event, values))

    def debug(self, event: str, **values: object) -> None:
        self._keep("debug", event, values)

    def info(self, event: str, **values: object) -> None:
        self._keep("info", event, values)

    def warning(self, event: str, **values: object) -> None:
        self._keep("warning", event, values)

    def error(self, event: str, **values: object) -> None:
        self._keep("error", event, values)

    def of(self, level: str) -> list[str]:
        return [event for found, event, _ in self.records if found == level]

    def one(self, event: str) -> dict[str, Any]:
        return next(values for _, found, values in self.records if found == event)


@dataclass
class Served:
    """A service that runs."""

    port: int
    log: Log
    folder: Path
    task: asyncio.Task[None]
    token: str = TOKEN
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers)

    def known(self, **headers: str) -> httpx.AsyncClient:
        return self.client(authorization=f"Bearer {TOKEN}", **headers)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self.writers.append(writer)
        return reader, writer

    async def hang_up(self) -> None:
        """Cut the connections that were made."""
        for writer in self.writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def raw(self, data: bytes, *, count: int = 1) -> list[Reply]:
        """Send bytes and return so many responses; an answer of 0 is a closed connection."""
        reader, writer = await self.connect()
        try:
            data = data.replace(b"{port}", b"%d" % self.port)
            with suppress(ConnectionError):
                writer.write(data.replace(b"{token}", self.token.encode()))
                await writer.drain()
            return [await read_reply(reader) for _ in range(count)]
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@dataclass(frozen=True)
class Reply:
    """A response as it came over the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self.body)["error"]
        return found


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return Reply(0, {}, b"")
    first, *rest = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in rest if line)
    }
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Reply(int(first.split()[1]), headers, body)


class App:
    """What a web plugin opens: an app that does what the test says."""

    def __init__(self, app: Any) -> None:
        self.app = app


def extension(name: str, app: Any, **fields: Any) -> tuple[str, Extension]:
    spec = WebSpec(
        **{"name": name, "factory": f"tests:{name}", "mount": f"/{name}", "auth": "none", **fields}
    )

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        if isinstance(app, Exception):
            raise app
        yield App(app)

    return name, Extension(spec=spec, open=opened)


async def never(*arguments: object) -> Any:
    raise AssertionError("nothing behind the door may be called")


@pytest.fixture
def app() -> Callable[..., tuple[str, Extension]]:
    """Returns an extension of kind ``web``: ``app("notes", asgi_app, mount="/notes", ...)``."""
    return extension


@pytest.fixture
def make_context(tmp_path: Path) -> Callable[..., ServiceContext]:
    """Returns the context of a gateway that is not there."""

    def make(
        *extensions: tuple[str, Extension],
        health: Callable[[], Health] = lambda: WELL,
        ready: Callable[[], None] = lambda: None,
        logger: Any = None,
    ) -> ServiceContext:
        found = dict(extensions)
        return ServiceContext(
            id="services.http",
            log=logger or log.get(plugin="services.http"),
            data=tmp_path / "data" / "services.http",
            extensions=lambda kind: found if kind == "web" else {},
            submit=never,
            send=never,
            store=None,  # type: ignore[arg-type]
            health=health,
            ready=ready,
            open=never,
        )

    return make


@pytest.fixture
def serve(
    make_context: Callable[..., ServiceContext], tmp_path: Path
) -> Callable[..., AbstractAsyncContextManager[Served]]:
    """Runs the service on a free port: ``async with serve(app(...), port=0, token=...)``."""

    @asynccontextmanager
    async def serving(
        *extensions: tuple[str, Extension],
        health: Callable[[], Health] = lambda: WELL,
        **section: object,
    ) -> AsyncIterator[Served]:
        ready, logger = asyncio.Event(), Log()
        section = {"port": 0, "token": TOKEN, **section}
        config = HttpConfig.model_validate({k: v for k, v in section.items() if v is not None})
        context = make_context(*extensions, health=health, ready=ready.set, logger=logger)
        async with open_service(config, context) as service:
            port = await service.listen()  # type: ignore[attr-defined]
            task = asyncio.create_task(service.run())
            served = Served(port, logger, tmp_path, task)
            try:
                await ready.wait()
                yield served
            finally:
                await served.hang_up()
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return serving
