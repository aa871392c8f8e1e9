"""A gateway with a channel that is not there, a scripted model and the real store."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot import log
from nanobot.admin import load
from nanobot.errors import StorageError
from nanobot.messages import Text
from nanobot.specs import Spec, ToolSpec
from nanobot_gateway.channel import Accepted, DeliveryError, Incoming, Outgoing, Update
from nanobot_gateway.config import ChannelConfig
from nanobot_gateway.gateway import Gateway, open_gateway
from nanobot_gateway.specs import ChannelSpec
from nanobot_testing import run
from nanobot_testing.lab import Model
from nanobot_testing.shop import Shop


class Phone:
    """A channel whose platform is a list."""

    edit_interval_s = 0.0

    def __init__(self, config: Any, context: Any, bench: Bench) -> None:
        self.config = config
        self.context = context
        self._bench = bench
        self.sent: list[Outgoing] = []
        self.edited: list[tuple[str, Outgoing]] = []
        self.updates: list[Update] = []
        self.failures: list[Exception] = []
        self.cut = asyncio.Event()
        self.news = asyncio.Condition()

    async def run(self) -> None:
        if self.config.group_allow_from == ("broken",):
            raise OSError("no route to the platform")
        self.context.ready()
        await self.cut.wait()

    async def _tell(self) -> None:
        async with self.news:
            self.news.notify_all()

    async def send(self, message: Outgoing) -> str:
        if self.failures:
            raise self.failures.pop(0)
        self.sent.append(message)
        await self._tell()
        return f"p{len(self.sent)}"

    async def edit(self, sent: str, message: Outgoing) -> None:
        self.edited.append((sent, message))
        await self._tell()

    def show(self, update: Update) -> None:
        self.updates.append(update)
        asyncio.get_running_loop().create_task(self._tell())

    async def typing(self, target: Any, *, on: bool) -> None:
        self._bench.typed += 1

    # --- for tests ------------------------------------------------------------------------------

    async def says(self, text: str, *, user: str = "u1", id: str = "", **more: Any) -> Accepted:
        self._bench.said += 1
        message = Incoming(
            id=id or f"m{self._bench.said}",
            sender=user,
            chat=more.pop("chat", user),
            parts=(Text(text=text), *more.pop("parts", ())),
            **more,
        )
        accepted: Accepted = await self.context.accept(message)
        return accepted

    async def until(self, condition: Callable[[], bool]) -> None:
        async with self.news:
            await self.news.wait_for(condition)

    async def hears(self, count: int) -> list[str]:
        """Wait for so many messages and return all texts."""
        await self.until(lambda: len(self.sent) >= count)
        return [message.text for message in self.sent]


class Bench:
    """An instance with a channel `phone`, a provider `main` and the SQLite store."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop = Shop(folder, monkeypatch)
        self.folder = folder
        self.model = Model()
        self.said = self.typed = 0
        self.phones: list[Phone] = []
        self._patch = monkeypatch
        self.section: dict[str, Any] = {"enabled": True, "allowFrom": ["*"]}
        self.capabilities: set[str] = set()
        self.spec: dict[str, Any] = {}
        self._ids = ["stores.sqlite", "kinds.gateway", "providers.main", "channels.phone"]
        self._ids += ["commands.stop", "commands.restart", "commands.pairing"]

        async def opens(config: Any) -> Any:
            return self.model

        self._sell()

    def _sell(self) -> None:
        bench = self

        @asynccontextmanager
        async def open_provider(config: Any, context: Any) -> AsyncIterator[Any]:
            yield bench.model

        self.shop.sell("main", default_model="m-1", env_keys=("MAIN_KEY",))
        sys.modules["nanobot_provider_main"].open_provider = open_provider  # type: ignore[attr-defined]
        self.shop.environ["MAIN_KEY"] = "key-of-main-1"
        self._patch.setenv("MAIN_KEY", "key-of-main-1")

    def tool(self, spec: dict[str, Any], opened: Any) -> None:
        """Install a tool plugin `probe`."""
        module = ModuleType("nanobot_tool_probe")

        @asynccontextmanager
        async def open_tool(config: Any, context: Any) -> AsyncIterator[Any]:
            opened.context = context
            yield opened

        module.open_tool = open_tool  # type: ignore[attr-defined]
        made = ToolSpec(name="probe", factory="nanobot_tool_probe:open_tool", **spec)
        self.shop.implement(module, "nanobot_tools", lambda: [made])
        self._patch.setitem(sys.modules, module.__name__, module)
        self.shop.install("tools.probe", module.__name__)
        self._ids.append("tools.probe")

    def enricher(self, opened: Any) -> None:
        """Install an enricher `ears`."""
        module = ModuleType("nanobot_enricher_ears")

        @asynccontextmanager
        async def open_enricher(config: Any, context: Any) -> AsyncIterator[Any]:
            yield opened

        module.open_enricher = open_enricher  # type: ignore[attr-defined]
        made = Spec(name="ears", factory="nanobot_enricher_ears:open_enricher")
        self.shop.implement(module, "nanobot_enrichers", lambda: [made])
        self._patch.setitem(sys.modules, module.__name__, module)
        self.shop.install("enrichers.ears", module.__name__)
        self._ids.append("enrichers.ears")

    def _channel(self) -> None:
        bench = self
        module = ModuleType("nanobot_channel_phone")

        @asynccontextmanager
        async def open_channel(config: Any, context: Any) -> AsyncIterator[Phone]:
            phone = Phone(config, context, bench)
            bench.phones.append(phone)
            yield phone

        spec = ChannelSpec(
            name="phone",
            factory="nanobot_channel_phone:open_channel",
            config=ChannelConfig,
            title="Phone",
            capabilities=frozenset(self.capabilities),
            **self.spec,
        )
        module.open_channel = open_channel  # type: ignore[attr-defined]
        self.shop.implement(module, "nanobot_channels", lambda: [spec])
        self._patch.setitem(sys.modules, module.__name__, module)
        self.shop.install("channels.phone", module.__name__)

    @property
    def phone(self) -> Phone:
        return self.phones[-1]

    def write(self) -> Path:
        """Write the configuration and return its path."""
        config = {**self.shop.config, "channels": {"phone": self.section}}
        path = self.folder / "data" / "config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    @asynccontextmanager
    async def gateway(self, **options: Any) -> AsyncIterator[Gateway]:
        """Run a gateway until its channel is connected."""
        self._channel()
        self._patch.setenv("NANOBOT_PLUGINS", ",".join(self._ids))
        async with open_gateway(load(self.write()), **options) as gateway:
            await gateway.settled()
            yield gateway

    def run(self, work: Callable[[Gateway], Awaitable[Any]], **options: Any) -> Any:
        """Do some work with a running gateway."""

        async def go() -> Any:
            async with self.gateway(**options) as gateway:
                return await work(gateway)

        return run(go())


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    log.configure()
    yield
    log.configure()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """Return an instance with a channel, a model and a store."""
    return Bench(tmp_path, monkeypatch)


@pytest.fixture
def delivery_error() -> type[DeliveryError]:
    return DeliveryError


@pytest.fixture
def storage_error() -> type[StorageError]:
    return StorageError
