"""Whole gateways to do harm to, and the ledger that shows what it cost."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot import log
from nanobot.admin import load
from nanobot.context import SystemClock
from nanobot.messages import FinishReason, Text, Usage, UserMessage, text_of
from nanobot.provider import ModelFinish, ModelText
from nanobot.specs import ProviderSpec
from nanobot_gateway.channel import Accepted, Incoming, Outgoing
from nanobot_gateway.gateway import Gateway, open_gateway
from nanobot_gateway.specs import ChannelSpec
from nanobot_testing import run
from nanobot_testing.shop import Shop
from websockets.sync.client import ClientConnection, unix_connect

DEADLINE_S = 60.0
TOKEN = "let-me-in"
WORD = re.compile(r"#(\w+)\.(\d+)")


def words_in(text: str) -> list[str]:
    """Return the words such as ``#a.3`` in a text: message 3 of chat a."""
    return [found[0] for found in WORD.finditer(text)]


class Ledger:
    """Compares what was said with what was answered; each message is a word of its own."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.answered: list[str] = []

    def say(self, chat: str) -> str:
        """Return the next message of a chat."""
        number = sum(word.startswith(f"#{chat}.") for word in self.said)
        self.said.append(f"#{chat}.{number}")
        return self.said[-1]

    def take(self, text: str) -> None:
        """Note what an answer names."""
        self.answered += words_in(text)

    @property
    def lost(self) -> list[str]:
        return [word for word in self.said if word not in set(self.answered)]

    @property
    def doubled(self) -> list[str]:
        return [word for word, times in Counter(self.answered).items() if times > 1]

    @property
    def disordered(self) -> list[str]:
        """Return the chats whose messages were not answered in their order."""
        chats: dict[str, list[int]] = {}
        for word in self.answered:
            chat, _, number = word.rpartition(".")
            chats.setdefault(chat, []).append(int(number))
        return [chat for chat, numbers in chats.items() if numbers != sorted(numbers)]

    @property
    def faultless(self) -> bool:
        return not (self.lost or self.doubled or self.disordered)

    def __repr__(self) -> str:
        return f"lost {self.lost}, doubled {self.doubled}, disordered {self.disordered}"


class Echo:
    """A model that names the messages that it is to answer, or all that it remembers."""

    def __init__(self) -> None:
        self.remembers = False
        self._going: asyncio.Event | None = None

    def hold(self) -> None:
        """Answer nobody until `go`."""
        self._going = asyncio.Event()

    def go(self) -> None:
        """Answer again."""
        if self._going:
            self._going.set()
            self._going = None

    async def stream(self, request: Any) -> AsyncIterator[Any]:
        if self._going:
            await self._going.wait()
        last: list[str] = []
        for message in reversed(request.messages):
            if isinstance(message, UserMessage):
                last = words_in(text_of(message.parts)) + last
            elif not self.remembers:
                break
        yield ModelText(text=" ".join(["heard", *last]))
        yield ModelFinish(reason=FinishReason.STOP, usage=Usage())


Deliver = Callable[[Outgoing], Awaitable[bool]]


class Platform:
    """A chat platform in memory, as ill-mannered as a test wants it.

    Attributes:
        deliver: Decides on each delivery: true takes it, false forgets it without a word; raises
            what the channel is to raise.
    """

    def __init__(self, ledger: Ledger, deduplicates: bool) -> None:
        self.ledger = ledger
        self.context: Any = None
        self.shown: list[Outgoing] = []
        self.deliver: Deliver | None = None
        self._deduplicates = deduplicates
        self._known: set[str] = set()
        self._news = asyncio.Event()

    async def run(self) -> None:
        self.context.ready()
        await asyncio.Event().wait()

    async def send(self, message: Outgoing) -> str:
        if self.deliver is None or await self.deliver(message):
            self.show(message)
        return message.id

    def show(self, message: Outgoing) -> None:
        """Show a message in its chat, where the user counts it."""
        if self._deduplicates and message.id in self._known:
            return
        self._known.add(message.id)
        self.shown.append(message)
        self.ledger.take(message.text)
        self._news.set()

    async def hand(self, text: str, chat: str, id: str = "", user: str = "u1") -> Accepted:
        """Hand a message over, as the platform does until it is acknowledged."""
        message = Incoming(
            id=id or text, sender=user, chat=chat, direct=True, parts=(Text(text=text),)
        )
        accepted: Accepted = await self.context.accept(message)
        return accepted

    async def says(self, chat: str, **more: Any) -> Accepted:
        return await self.hand(self.ledger.say(chat), chat, **more)

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that comes with a delivery."""
        while not condition():
            self._news.clear()
            await self._news.wait()

    def texts(self, chat: str) -> list[str]:
        return [message.text for message in self.shown if message.target.chat == chat]


class Jumpy(SystemClock):
    """The machine's clock, set forth and back by hand; waits are noted and shortened.

    Whoever sleeps longer than a minute has no backoff but a schedule, and sleeps on.
    """

    def __init__(self) -> None:
        self.ahead = timedelta()
        self.slept: list[float] = []

    def now(self) -> datetime:
        return super().now() + self.ahead

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds / 100 if seconds <= 60 else seconds)


class House:
    """An instance with a platform `wire`, a model `brain`, the real engine and the real store."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.patch = patch
        self.ledger = Ledger()
        self.brain: Any = Echo()
        self.platform: Platform
        self.wire: dict[str, Any] = {"enabled": True, "allowFrom": ["u1"], "owners": ["u1"]}
        self.config: dict[str, Any] = {
            "agents": {"defaults": {"workspace": str(folder / "work"), "provider": "brain"}},
            "channels": {"wire": self.wire},
            "tools": {"exec": {"sandbox": ""}},
        }
        self.deduplicates = True
        self._shop = Shop(folder, patch)
        self._ids = ["stores.sqlite", "kinds.gateway"]
        self._ids += ["commands.stop", "commands.restart", "commands.pairing"]
        self.use("providers.brain", self._provider(), lambda context: self.brain)
        self.use("channels.wire", None, self._connect)

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def defaults(self) -> dict[str, Any]:
        return self.config["agents"]["defaults"]  # type: ignore[no-any-return]

    @staticmethod
    def _provider() -> ProviderSpec:
        return ProviderSpec(name="brain", factory="", needs_key=False, default_model="m")

    def _connect(self, context: Any) -> Platform:
        self.platform.context = context
        return self.platform

    def use(self, id: str, spec: Any, make: Callable[[Any], Any] | None = None) -> None:
        """Allow a plugin; install it first when something makes what it opens."""
        self._ids.append(id)
        if make is None:
            return
        kind, _, name = id.partition(".")
        module = ModuleType(f"faulty_{kind}_{name}")

        @asynccontextmanager
        async def open_it(config: Any, context: Any) -> AsyncIterator[Any]:
            yield make(context)

        def hook() -> list[Any]:
            factory = f"{module.__name__}:open_it"
            channel = ChannelSpec(name=name, factory=factory, deduplicates=self.deduplicates)
            return [channel if spec is None else replace(spec, factory=factory)]

        module.open_it = open_it  # type: ignore[attr-defined]
        self._shop.implement(module, f"nanobot_{kind}", hook)
        self.patch.setitem(sys.modules, module.__name__, module)
        self._shop.install(id, module.__name__)

    def write(self) -> Path:
        """Write the configuration and return its path."""
        path = self.data / "config.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(self.config))
        path.chmod(0o600)
        return path

    @asynccontextmanager
    async def gateway(self, **options: Any) -> AsyncIterator[Gateway]:
        """Run a gateway until everything is connected; it ends without waiting for anything."""
        self.platform = Platform(self.ledger, self.deduplicates)
        self.patch.setenv("NANOBOT_PLUGINS", ",".join(self._ids))
        async with open_gateway(load(self.write()), **options) as gateway:
            gateway.drain = partial(gateway.drain, 0.0)  # type: ignore[method-assign]
            await gateway.settled()
            yield gateway

    def run(self, work: Callable[[Gateway], Awaitable[Any]], **options: Any) -> Any:
        """Do something with a running gateway, and return what it gives."""

        async def go() -> Any:
            async with self.gateway(**options) as gateway:
                return await work(gateway)

        return run(go(), seconds=DEADLINE_S)


# --- processes ----------------------------------------------------------------------------------


def eventually(look: Callable[[], Any]) -> Any:
    """Return what is found as soon as it is there."""
    until = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < until, "it never came"
        time.sleep(0.02)
    return found


class Client:
    """Who talks to a gateway over its WebSocket, and keeps the ledger.

    The offline model does sums, so a message is one whose result names it.
    """

    def __init__(self, connection: ClientConnection, ledger: Ledger) -> None:
        self.connection = connection
        self._ledger = ledger
        self._written: dict[str, str] = {}

    def send(self, word: str, text: str = "") -> None:
        """Send a message whose name is its word; sent again, it is the same message."""
        chat, _, number = word.strip("#").partition(".")
        frame = {"type": "message", "chat_id": chat, "turn_id": word.strip("#")}
        self.connection.send(json.dumps({**frame, "content": text or f"{number} + 0"}))

    def next(self) -> dict[str, Any]:
        """Read an event, and note what it answers."""
        event: dict[str, Any] = json.loads(self.connection.recv(DEADLINE_S))
        chat = event.get("chat_id", "")
        if event["event"] == "delta":
            self._written[chat] = self._written.get(chat, "") + event["text"]
        elif event["event"] == "turn_end":
            self._note(chat, self._written.pop(chat, ""))
        elif event["event"] == "message":
            self._note(chat, event.get("text", ""))
        return event

    def _note(self, chat: str, text: str) -> None:
        for number in re.findall(r"\+ 0 = (\d+)", text):
            self._ledger.take(f"#{chat}.{number}")

    def until(self, *events: str, **fields: Any) -> dict[str, Any]:
        """Read until one of some events comes that has these fields."""
        while True:
            found = self.next()
            if found["event"] in events and fields.items() <= found.items():
                return found

    def ask(self, word: str) -> None:
        """Send a message and wait for the end of its turn."""
        self.send(word)
        self.until("turn_end", chat_id=word.strip("#").partition(".")[0])


class Process:
    """A gateway in a process of its own, with a WebSocket and the configuration of a test.

    Args:
        home: Where its configuration is to be.
        prefix: What is put before its command line.
        flaw: What it does wrong on purpose; see `careless.py`.
    """

    def __init__(
        self,
        home: Path,
        environment: Mapping[str, str],
        *,
        config: Mapping[str, Any] | None = None,
        prefix: Sequence[str] = (),
        flaw: str = "",
    ) -> None:
        # Not a port: those that are free now may be somebody else's in a moment.
        self.socket = Path(tempfile.mkdtemp()) / "socket"
        self.path = home / "config.json"
        self.errors = Path(f"{home}-errors.txt")
        self.flaw = flaw
        self.prefix = list(prefix)
        self.environment = dict(environment)
        self.config: dict[str, Any] = {
            "agents": {"defaults": {"provider": "offline", "workspace": str(home / "work")}},
            "channels": {
                "websocket": {"enabled": True, "unixSocketPath": str(self.socket), "token": TOKEN}
            },
            "gateway": {"port": 0},
            "tools": {"exec": {"sandbox": ""}},
            **(config or {}),
        }
        self.process: subprocess.Popen[bytes]
        self._open: list[ClientConnection] = []

    def command(self) -> list[str]:
        careless = str(Path(__file__).with_name("careless.py"))
        run = [careless, self.flaw] if self.flaw else ["-m", "nanobot"]
        return [*self.prefix, sys.executable, *run, "gateway", "-c", str(self.path)]

    def write(self, write: Callable[[Path, bytes], object] = Path.write_bytes) -> None:
        """Write the configuration, through whoever can reach the place."""
        write(self.path, json.dumps(self.config).encode())

    def start(self) -> None:
        with self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                self.command(),
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
            )

    @property
    def told(self) -> str:
        return self.errors.read_text()

    def is_up(self) -> bool:
        assert self.process.poll() is None, self.told
        with socket.socket(socket.AF_UNIX) as found:
            return found.connect_ex(str(self.socket)) == 0

    def connect(self, ledger: Ledger) -> Client:
        """Return a client that is told everything, once the gateway listens."""
        eventually(self.is_up)
        made = unix_connect(
            str(self.socket),
            f"ws://localhost/?client_id=me&events=all&token={TOKEN}",
            open_timeout=DEADLINE_S,
            max_size=None,
        )
        self._open.append(made)
        client = Client(made, ledger)
        client.until("ready")
        return client

    def stop(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def close(self) -> None:
        for connection in self._open:
            connection.socket.close()
        if getattr(self, "process", None) and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.socket.parent, ignore_errors=True)  # two may share one


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    log.configure()
    yield
    log.configure()


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Return an instance to do harm to, in this process."""
    return House(tmp_path, monkeypatch)


@pytest.fixture
def ledger() -> Ledger:
    """Return an empty ledger."""
    return Ledger()


@pytest.fixture
def jumpy() -> Jumpy:
    """Return a clock that can be set."""
    return Jumpy()


@pytest.fixture
def wait_for() -> Callable[[Callable[[], Any]], Any]:
    """Return the function that waits for a condition outside this process."""
    return eventually


Launch = Callable[..., Process]


@pytest.fixture
def launch(tmp_path: Path, clean_environment: Mapping[str, str]) -> Iterator[Launch]:
    """Return a function that makes a gateway in a process of its own, which ends with the test."""
    made: list[Process] = []

    def go(home: Path | None = None, **options: Any) -> Process:
        folder = home or tmp_path / f"instance-{len(made)}"
        folder.mkdir(parents=True, exist_ok=True)
        process = Process(folder, clean_environment, **options)
        made.append(process)
        return process

    yield go
    for process in made:
        process.close()
