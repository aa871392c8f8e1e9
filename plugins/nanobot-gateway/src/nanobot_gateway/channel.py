"""The contract of a channel: a chat app that brings messages in and takes answers out.

A channel connects one account of one platform. It says who wrote what, where, as the platform
says it, and hands that to `ChannelContext.accept`; whether the sender may talk to the agent, and
what becomes of the message, is decided there. Once `accept` returns, the message is stored: only
then does the channel acknowledge it to the platform.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from nanobot.context import PluginContext
from nanobot.errors import NanobotError
from nanobot.events import TurnEvent
from nanobot.messages import Part, Target
from nanobot.specs import CommandSpec


class DeliveryError(NanobotError):
    """Report a message that the platform did not take.

    Args:
        retryable: Sending the same again may succeed; False for what the platform refuses.
        retry_after: Seconds that the platform asked to wait, None when it did not.
    """

    def __init__(
        self,
        message: str,
        *,
        retryable: bool = True,
        retry_after: float | None = None,
        remedy: str = "",
    ) -> None:
        super().__init__(message, remedy=remedy)
        self.retryable = retryable
        self.retry_after = retry_after


@dataclass(frozen=True, kw_only=True, slots=True)
class Incoming:
    """A message as the platform tells it.

    Args:
        id: The platform's id of the message, unique within the chat; a second one is dropped.
        sender: The platform's stable id of who wrote it; never a name that its owner can choose.
            Empty when the platform does not say, which denies it.
        chat: The chat's id.
        parts: What it says.
        aliases: Further stable ids of the sender that ``allowFrom`` may list; never a name that
            somebody else can take tomorrow.
        direct: It was written to the agent alone, not in a group.
        mentioned: In a group, the agent was addressed: by name, or by replying to it.
        thread: Thread or topic within the chat, when answers belong there.
        places: Ids of what the chat lies in, the narrowest first: guild, team.
        session: What names its session in place of chat and thread; the gateway puts the channel
            and the account before it.
        reply_to: Id of the message that it answers.
        sent_at: When it was written, if the platform says so.
    """

    id: str
    sender: str
    chat: str
    parts: tuple[Part, ...]
    aliases: tuple[str, ...] = ()
    direct: bool = True
    mentioned: bool = False
    thread: str = ""
    places: tuple[str, ...] = ()
    session: str = ""
    reply_to: str = ""
    sent_at: datetime | None = None


class Verdict(StrEnum):
    """What became of an incoming message."""

    TURN = "turn"
    JOINED = "joined"
    COMMAND = "command"
    DUPLICATE = "duplicate"
    DENIED = "denied"
    IGNORED = "ignored"


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """What became of a message; all of it is stored, or nothing of it will happen.

    Args:
        verdict: It starts a turn, joins the running one or waits for it, was a command for the
            gateway, was known already, its sender may not talk to the agent, or it is none of the
            agent's business (a group in which it was not addressed).
        session_key: The session that it belongs to.
        turn: Id of the incoming message whose turn it joined, else its own.
        reason: Why it was denied, in words for a log.
    """

    verdict: Verdict
    session_key: str = ""
    turn: str = ""
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Outgoing:
    """A message to deliver.

    Args:
        id: The same each time that it is tried, for platforms that drop duplicates.
        target: Where to.
        text: What it says, in markdown, within the spec's `max_length`.
        files: Files to attach.
        buttons: Rows of labels that may be pressed instead of typing them.
        reply_to: Id of the platform's message that it answers, empty when it answers none.
        answers: `Incoming.id` of the message that led to it, empty when none did.
        shown: `Events` has shown the text already as it was written.
        partial: More of it will follow as edits; only for channels with `Edits`.
    """

    id: str
    target: Target
    text: str
    files: tuple[Path, ...] = ()
    buttons: tuple[tuple[str, ...], ...] = ()
    reply_to: str = ""
    answers: str = ""
    shown: bool = False
    partial: bool = False


class Channel(Protocol):
    """What a `ChannelSpec` factory opens: one account of a platform."""

    async def run(self) -> None:
        """Connect, say `ChannelContext.ready`, and bring messages in until cancelled.

        Returning or raising means that the connection is lost: the gateway waits a little and
        calls it again. A `nanobot.errors.ConfigError` or `nanobot.errors.AuthError` (a wrong
        token) is not tried again.
        """
        ...

    async def send(self, message: Outgoing) -> str:
        """Deliver a message and return the platform's id of it, empty if it has none.

        Raises:
            DeliveryError: It was not delivered.
        """
        ...


class Edits(Protocol):
    """Capability ``edits``: a message that was sent can be changed, so answers appear as written.

    A streamed answer is sent with ``partial=True`` as soon as there is text, then edited about
    once in `edit_interval_s`, and once more with ``partial=False`` when it is whole.
    """

    edit_interval_s: float
    """Seconds between two edits that the platform tolerates."""

    async def edit(self, sent: str, message: Outgoing) -> None:
        """Replace the text of the message whose id `send` returned.

        Raises:
            DeliveryError: It was not changed.
        """
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Update:
    """What happened in a turn, for those who watch it.

    Args:
        target: The chat.
        session_key: The session.
        answers: `Incoming.id` of the message that the turn answers.
        events: What happened, in order; text that arrived together is one `TextDelta`.
    """

    target: Target
    session_key: str
    answers: str
    events: Sequence[TurnEvent]


class Events(Protocol):
    """Capability ``events``: the channel shows everything that happens in a turn by itself.

    What is shown is not stored by the gateway: the final answer comes through `Channel.send` as
    well, with ``shown=True``.
    """

    def show(self, update: Update) -> None:
        """Take what happened; never waits. A reader who can not keep up is the channel's matter."""
        ...


class Typing(Protocol):
    """Capability ``typing``: the platform can say that an answer is being written."""

    async def typing(self, target: Target, *, on: bool) -> None:
        """Start or stop saying so; called again every few seconds while it lasts."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelContext(PluginContext):
    """What a channel's factory receives.

    Args:
        account: Name of the account that it connects, ``default`` for the section itself.
        accept: Hands a message over; returns once it is stored.
        admits: Tells whether a message would be let in, before its files are fetched: ``parts``
            may be empty.
        ready: Says that the connection stands.
        media: Folder for files that came in, mode 0700; they stay there.
        commands: Returns the slash commands, for a menu.
    """

    account: str
    accept: Callable[[Incoming], Awaitable[Accepted]]
    admits: Callable[[Incoming], bool]
    ready: Callable[[], None]
    media: Path
    commands: Callable[[], Sequence[CommandSpec]]
