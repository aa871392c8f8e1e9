"""What a tool may ask of the host: to speak in a chat, ask a person, hand on work, look back.

Every plugin has one as ``context.desk``. What a host can not do raises `ToolError` of kind
``unavailable`` with words for the model: a terminal has no other chats, a script has nobody to ask.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from nanobot.command import HistoryEntry
from nanobot.errors import ToolError
from nanobot.messages import Scope, Target, Turn
from nanobot.profile import Profile


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A message that a turn sends beside its answer.

    Args:
        id: The same when the same is sent again; it is delivered once.
        turn: The turn that sends it.
        target: The chat; the turn's own or another.
        text: In markdown.
        files: Files to attach.
        buttons: Rows of labels that may be pressed instead of typing them.
    """

    id: str
    turn: Turn
    target: Target
    text: str = ""
    files: tuple[Path, ...] = ()
    buttons: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A question to whoever started a turn.

    Args:
        id: The same when the same is asked again: it is put once, and its answer is kept for it.
        turn: The turn that waits for the answer.
        choices: What to choose from; something else may be answered.
    """

    id: str
    turn: Turn
    text: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """Work that a turn hands on to a session of its own.

    Args:
        id: The same when the same is handed on again: it is done once.
        turn: The turn that hands it on.
        text: What to do.
        profile: Who does it.
        label: What people call it.
    """

    id: str
    turn: Turn
    text: str
    profile: Profile
    label: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionInfo:
    """A session that somebody may look into.

    Args:
        turns: How many turns it has.
        last: What was said last, shortened.
    """

    key: str
    turns: int
    changed_at: datetime
    last: str = ""


class Desk(Protocol):
    """What a host offers to tools."""

    async def send(self, note: Note) -> str:
        """Send a message; return how far it came: ``sent``, ``queued``, or why it is not sent."""
        ...

    async def ask(self, question: Question) -> str:
        """Put a question and wait for the answer; stopping the wait withdraws the question."""
        ...

    async def delegate(self, task: Task, *, wait: bool) -> str:
        """Have something done in a session of its own.

        Returns:
            What came of it when waited for; else nothing: the result comes to the session that
            handed it on as a message of origin ``agent``.
        """
        ...

    def profiles(self) -> Mapping[str, Profile]:
        """Return the configured kinds of subagents by name; the empty name is the usual one."""
        ...

    async def sessions(self, scope: Scope) -> Sequence[SessionInfo]:
        """Return the sessions in which the principal has spoken, all for an owner; newest first."""
        ...

    async def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]:
        """Return what was said in a session, oldest first.

        Raises:
            ToolError: There is none, or it is none of the principal's.
        """
        ...

    def facts(self, scope: Scope) -> Mapping[str, str]:
        """Return what the agent may know of itself: model, limits, version, ..."""
        ...


class NoDesk:
    """A host that offers nothing; the base of those that offer something."""

    async def send(self, note: Note) -> str:
        raise _unavailable("Nothing can be sent to chats here: no gateway runs this turn.")

    async def ask(self, question: Question) -> str:
        raise _unavailable("Nobody can be asked here: put the question into your answer.")

    async def delegate(self, task: Task, *, wait: bool) -> str:
        raise _unavailable("Work can not be handed on here: do it yourself.")

    def profiles(self) -> Mapping[str, Profile]:
        return {}

    async def sessions(self, scope: Scope) -> Sequence[SessionInfo]:
        raise _unavailable("Sessions can not be listed here.")

    async def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]:
        raise _unavailable("Sessions can not be read here.")

    def facts(self, scope: Scope) -> Mapping[str, str]:
        return {}


def _unavailable(why: str) -> ToolError:
    return ToolError(why, kind="unavailable")
