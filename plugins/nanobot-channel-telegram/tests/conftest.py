"""What the tests of this plugin share."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot.context import SystemClock
from nanobot.messages import Target
from nanobot_gateway.channel import Outgoing
from nanobot_testing import load_spec, run
from nanobot_testing.contracts.channel import Host, channel_context

PLUGIN = "channels.telegram"


def _load() -> ModuleType:
    name = "nanobot_channel_telegram_bot_api"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "bot_api.py")
        assert spec and spec.loader
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@pytest.fixture(scope="session")
def api() -> ModuleType:
    """Return the module with the server."""
    return _load()


class HeldClock(SystemClock):
    """A clock whose sleepers wake when they are told to."""

    def __init__(self) -> None:
        self.sleepers: asyncio.Queue[tuple[float, asyncio.Event]] = asyncio.Queue()

    async def sleep(self, seconds: float) -> None:
        woken = asyncio.Event()
        await self.sleepers.put((seconds, woken))
        await woken.wait()

    async def asleep(self) -> tuple[float, asyncio.Event]:
        """Wait until somebody sleeps; return for how long, and what wakes him."""
        return await self.sleepers.get()


@asynccontextmanager
async def opened(
    section: Mapping[str, object], folder: Path, host: Host, **changes: Any
) -> AsyncIterator[tuple[Any, Any]]:
    """Open the channel with a context; fields of it can be given."""
    spec = load_spec(PLUGIN)
    module, _, function = spec.factory.partition(":")
    context = replace(channel_context(spec, folder, host, PLUGIN), **changes)
    config = spec.config.model_validate(dict(section))
    async with getattr(import_module(module), function)(config, context) as channel:
        yield channel, context


@pytest.fixture
def connected(api: ModuleType, tmp_path: Path) -> Callable[..., Any]:
    """Return a function that runs some work on a channel that is connected to a server.

    Fields of the context go in as ``context``, settings of the section by name; a function
    makes one from the server.
    """

    def go(work: Any, context: Mapping[str, Any] | None = None, **config: object) -> Any:
        async def inside() -> Any:
            async with api.BotApi() as server:
                host = Host()
                given = {k: v(server) if callable(v) else v for k, v in config.items()}
                section = {**server.config, **given}
                async with opened(section, tmp_path, host, **(context or {})) as (channel, _):
                    running = asyncio.create_task(channel.run())
                    try:
                        await host.until_ready()
                        return await work(channel, server, host)
                    finally:
                        running.cancel()
                        with suppress(asyncio.CancelledError):
                            await running

        return run(inside())

    return go


@pytest.fixture
def open_channel() -> Callable[..., Any]:
    """Return the function that opens the channel."""
    return opened


@pytest.fixture
def held_clock() -> HeldClock:
    return HeldClock()


@pytest.fixture
def out() -> Callable[..., Outgoing]:
    """Return a function that makes messages to Ann."""

    def make(text: str = "", **fields: Any) -> Outgoing:
        target = Target(
            channel="telegram", chat=fields.pop("chat", "1001"), thread=fields.pop("thread", "")
        )
        return Outgoing(**{"id": "out-1", "target": target, "text": text, **fields})

    return make
