"""The real front door with the real app behind it, and a gateway that is not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
import pytest
from nanobot import log
from nanobot.context import Extension, PluginContext
from nanobot_gateway.pairing import PairingStore
from nanobot_gateway.service import Health, ServiceContext
from nanobot_service_http.config import HttpConfig
from nanobot_service_http.service import open_service
from nanobot_testing import load_spec
from nanobot_testing.lab import FakeClock

TOKEN = "correct-horse-battery-staple"
PARTS = {
    "channels.telegram": "running",
    "channels.telegram.work": "failed: Telegram refuses the token",
    "services.http": "running",
}
HEALTH = Health(ok=False, parts=PARTS, problems=("channels.telegram.work failed",), counters={})


@dataclass
class Served:
    """The service, running, and the file that it works on."""

    port: int
    store: PairingStore

    def client(self, **headers: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", headers=headers)

    def known(self, **headers: str) -> httpx.AsyncClient:
        return self.client(authorization=f"Bearer {TOKEN}", **headers)

    async def raw(self, data: bytes) -> int:
        """Send bytes and return the status of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(data)
            return int((await reader.readline()).split()[1])
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def store(tmp_path: Path, clock: FakeClock) -> PairingStore:
    """Return the store as the gateway has it open."""
    return PairingStore(tmp_path / "pairing.json", clock)


async def never(*arguments: object) -> Any:
    raise AssertionError("the API reaches nothing else of the gateway")


@pytest.fixture
def serve(
    tmp_path: Path, clock: FakeClock, store: PairingStore
) -> Callable[..., AbstractAsyncContextManager[Served]]:
    """Runs the service on a free port: ``async with serve() as served``."""
    spec = load_spec("web.gateway")

    @asynccontextmanager
    async def opened() -> AsyncIterator[Any]:
        module, _, function = spec.factory.partition(":")
        context = PluginContext(
            id="web.gateway",
            log=log.get(plugin="web.gateway"),
            data=tmp_path / "plugins" / "web.gateway",
            clock=clock,
        )
        async with getattr(import_module(module), function)(spec.config(), context) as web:
            yield web

    @asynccontextmanager
    async def serving(health: Callable[[], Health] = lambda: HEALTH) -> AsyncIterator[Served]:
        ready = asyncio.Event()
        context = ServiceContext(
            id="services.http",
            log=log.get(plugin="services.http"),
            data=tmp_path / "plugins" / "services.http",
            extensions=lambda kind: {"gateway": Extension(spec=spec, open=opened)},
            submit=never,
            send=never,
            store=None,  # type: ignore[arg-type]
            health=health,
            ready=ready.set,
            open=never,
        )
        config = HttpConfig.model_validate({"port": 0, "token": TOKEN})
        async with open_service(config, context) as service:
            port = await service.listen()  # type: ignore[attr-defined]
            task = asyncio.create_task(service.run())
            try:
                await ready.wait()
                yield Served(port, store)
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    return serving
