"""Desks for tests of tools: one that follows a script, and a real gateway with a phone."""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot.admin import Config, load
from nanobot.command import HistoryEntry
from nanobot.desk import Note, Question, SessionInfo, Task
from nanobot.errors import ToolError
from nanobot.messages import Role, Scope, Text, ToolResult
from nanobot.profile import Profile
from nanobot.sdk import Nanobot
from nanobot_gateway.channel import Accepted, Incoming, Outgoing
from nanobot_gateway.config import ChannelConfig
from nanobot_gateway.gateway import Gateway, open_gateway
from nanobot_gateway.specs import ChannelSpec

from nanobot_testing import host
from nanobot_testing.contracts.tool import ToolContract
from nanobot_testing.lab import Model
from nanobot_testing.shop import Shop

STARTED = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Session:
    users: frozenset[str]
    said: tuple[HistoryEntry, ...]
    changed_at: datetime

    def is_open_to(self, scope: Scope) -> bool:
        return scope.principal.role is Role.OWNER or scope.principal.user in self.users


class ScriptedDesk:
    """A host that does what the test says, once for each id, and keeps what it was asked for.

    Attributes:
        notes: The messages that were sent.
        questions: The questions that were put.
        tasks: The work that was handed on, and whether its result was waited for.
        kinds: What `profiles` returns.
        known: What `facts` returns.
    """

    def __init__(self) -> None:
        self.notes: list[Note] = []
        self.questions: list[Question] = []
        self.tasks: list[tuple[Task, bool]] = []
        self.kinds: dict[str, Profile] = {"": Profile(name="subagent")}
        self.known: dict[str, str] = {}
        self._script: deque[str | ToolError] = deque()
        self._done: dict[str, str] = {}
        self._sessions: dict[str, _Session] = {}

    # --- the script -----------------------------------------------------------------------------

    def will(self, *outcomes: str | ToolError) -> ScriptedDesk:
        """Let the next messages, questions and tasks come to this."""
        self._script.extend(outcomes)
        return self

    def holds(self, key: str, *said: str, users: Sequence[str] = ("alice",)) -> ScriptedDesk:
        """Keep a session, newer than those before; users and the agent speak in turns."""
        roles = ("user", "assistant")
        entries = (HistoryEntry(role=roles[n % 2], text=text) for n, text in enumerate(said))
        self._sessions[key] = _Session(
            users=frozenset(users),
            said=tuple(entries),
            changed_at=STARTED + timedelta(hours=len(self._sessions)),
        )
        return self

    def _come_to(self, id: str, usual: str) -> str:
        if id not in self._done:
            outcome = self._script.popleft() if self._script else usual
            if isinstance(outcome, ToolError):
                raise outcome
            self._done[id] = outcome
        return self._done[id]

    # --- nanobot.desk.Desk ----------------------------------------------------------------------

    async def send(self, note: Note) -> str:
        if note.id not in self._done:
            self.notes.append(note)
        return self._come_to(note.id, "sent")

    async def ask(self, question: Question) -> str:
        if question.id not in self._done:
            self.questions.append(question)
        return self._come_to(question.id, "yes")

    async def delegate(self, task: Task, *, wait: bool) -> str:
        if task.id not in self._done:
            self.tasks.append((task, wait))
        return self._come_to(task.id, "It is done." if wait else "")

    def profiles(self) -> Mapping[str, Profile]:
        return self.kinds

    async def sessions(self, scope: Scope) -> Sequence[SessionInfo]:
        found = [(k, s) for k, s in self._sessions.items() if s.is_open_to(scope)]
        return [
            SessionInfo(
                key=key,
                turns=sum(entry.role == "user" for entry in one.said),
                changed_at=one.changed_at,
                last=one.said[-1].text[:200] if one.said else "",
            )
            for key, one in sorted(found, key=lambda f: f[1].changed_at, reverse=True)
        ]

    async def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]:
        one = self._sessions.get(key)
        if one is None or not one.is_open_to(scope):
            raise ToolError(f"There is no session {key!r} of yours.", kind="not_found", target=key)
        return one.said

    def facts(self, scope: Scope) -> Mapping[str, str]:
        return self.known


class DeskToolContract(ToolContract):
    """Promises of a tool plugin that asks something of its host."""

    def desk(self, folder: Path) -> ScriptedDesk:
        """Return the desk that the examples need."""
        return ScriptedDesk()

    @pytest.fixture(autouse=True)
    def _desk(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        made = partial(host.make_context, desk=self.desk(tmp_path))
        monkeypatch.setattr(host, "make_context", made)


class Phone:
    """The channel of `Chats`; its platform is a list."""

    def __init__(self, context: Any) -> None:
        self.context = context
        self.sent: list[Outgoing] = []
        self._news = asyncio.Condition()

    async def run(self) -> None:
        self.context.ready()
        await asyncio.Event().wait()

    async def send(self, message: Outgoing) -> str:
        self.sent.append(message)
        async with self._news:
            self._news.notify_all()
        return f"p{len(self.sent)}"

    async def says(self, text: str, *, user: str = "alice") -> Accepted:
        """Write a message to the agent."""
        message = Incoming(id=uuid.uuid4().hex, sender=user, chat=user, parts=(Text(text=text),))
        accepted: Accepted = await self.context.accept(message)
        return accepted

    async def hears(self, count: int) -> list[str]:
        """Wait for so many messages and return all texts."""
        async with self._news:
            await self._news.wait_for(lambda: len(self.sent) >= count)
        return [message.text for message in self.sent]


class Chats:
    """A real gateway with the channel `phone`, a scripted model, and installed plugins.

    Alice is an owner; everybody else is a user.

    Args:
        plugins: Ids of the plugins that are tested, such as ``tools.message``.
    """

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *plugins: str) -> None:
        self.model = Model()
        self.shop = Shop(folder, monkeypatch)
        self.workspace = folder / "work"
        self.workspace.mkdir()
        self._path = folder / "data" / "config.json"
        self._phones: list[Phone] = []
        self._provider(monkeypatch)
        self._channel(monkeypatch)
        ids = ("stores.sqlite", "kinds.gateway", "providers.main", "channels.phone", *plugins)
        monkeypatch.setenv("NANOBOT_PLUGINS", ",".join(ids))
        phone = {"enabled": True, "allowFrom": ["*"], "owners": ["alice"], "sendToolHints": False}
        self.shop.config["channels"] = {"phone": phone}

    def _provider(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shop.sell("main", default_model="m-1", env_keys=("MAIN_KEY",))
        monkeypatch.setenv("MAIN_KEY", "key-of-main-1")

        @asynccontextmanager
        async def open_provider(config: Any, context: Any) -> AsyncIterator[Any]:
            yield self.model

        monkeypatch.setattr(sys.modules["nanobot_provider_main"], "open_provider", open_provider)

    def _channel(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module = ModuleType("nanobot_channel_phone")
        made = ChannelSpec(
            name="phone", factory=f"{module.__name__}:open_channel", config=ChannelConfig
        )

        @asynccontextmanager
        async def open_channel(config: Any, context: Any) -> AsyncIterator[Phone]:
            self._phones.append(Phone(context))
            yield self.phone

        module.open_channel = open_channel  # type: ignore[attr-defined]
        self.shop.implement(module, "nanobot_channels", lambda: [made])
        monkeypatch.setitem(sys.modules, module.__name__, module)
        self.shop.install("channels.phone", module.__name__)

    @property
    def phone(self) -> Phone:
        """Return the phone of the gateway that was started last."""
        return self._phones[-1]

    def run(self, work: Callable[[Gateway], Awaitable[Any]]) -> Any:
        """Do some work with a gateway that is connected."""

        async def go() -> Any:
            async with open_gateway(self._load()) as gateway:
                await gateway.settled()
                return await work(gateway)

        return host.run(go())

    def script(self, text: str) -> str:
        """Return what the instance answers in a script, without a gateway."""

        async def go() -> str:
            async with Nanobot(self._load()) as bot:
                return (await bot.run(text)).content

        return host.run(go())

    def _load(self) -> Config:
        self._path.parent.mkdir(exist_ok=True)
        self._path.write_text(json.dumps(self.shop.config))
        self._path.chmod(0o600)
        return load(self._path)

    def results(self) -> list[ToolResult]:
        """Return the results of tools that the model has read in its last request."""
        return [
            use.result
            for message in self.model.requests[-1].messages
            for use in getattr(message, "tool_uses", ())
        ]
