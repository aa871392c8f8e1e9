"""The contract of a slash command."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from nanobot.messages import Turn
from nanobot.specs import CommandSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class HistoryEntry:
    """One thing that was said in a session; role is ``user`` or ``assistant``."""

    role: str
    text: str


class SessionControl(Protocol):
    """The one session that a command acts on."""

    @property
    def key(self) -> str:
        """Return the session's key."""
        ...

    def reset(self) -> None:
        """Start afresh: what was said stays in the transcript but is no longer sent."""
        ...

    def history(self, count: int) -> Sequence[HistoryEntry]:
        """Return the last user and assistant texts since the last reset, oldest first."""
        ...

    def preset(self) -> str:
        """Return the model preset chosen for this session, empty for the default."""
        ...

    def choose_preset(self, name: str) -> None:
        """Use a model preset from the next turn on; raises ConfigError for an unknown name."""
        ...


class HostInfo(Protocol):
    """What a command may know about the host."""

    def commands(self) -> Sequence[CommandSpec]:
        """Return all commands, in alphabetical order."""
        ...

    def presets(self) -> Mapping[str, str]:
        """Return the model presets and the model that each names."""
        ...

    def facts(self, session_key: str) -> Mapping[str, str]:
        """Return what ``/status`` shows, in order: version, model, why it was chosen, tokens."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class CommandRequest:
    """A slash command that somebody typed.

    Args:
        name: Without the slash.
        arguments: The rest of the line, stripped.
    """

    name: str
    arguments: str
    turn: Turn
    session: SessionControl
    host: HostInfo


class Command(Protocol):
    """What a `CommandSpec` factory opens."""

    async def run(self, request: CommandRequest) -> str:
        """Do it and return the reply, in markdown."""
        ...
