"""The data that crosses borders: what people say, what models answer, what tools return.

All records are frozen and keyword-only, so a field can be added without breaking a plugin.
A tool call and its result live in one `ToolUse`, so a history with an orphan is not representable.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from nanobot.identity import Origin, Principal, Role, Scope, Target
from nanobot.parts import File, Image, Part, Text, Trust, text_of
from nanobot.usage import BilledTokens, ContextTokens, Usage

__all__ = [
    "AssistantMessage",
    "BilledTokens",
    "ContextTokens",
    "Effect",
    "Effects",
    "File",
    "FinishReason",
    "Image",
    "Inbound",
    "Message",
    "Origin",
    "Part",
    "Principal",
    "ReasoningBlock",
    "Role",
    "Scope",
    "StopReason",
    "Target",
    "Text",
    "ToolCall",
    "ToolResult",
    "ToolUse",
    "Trust",
    "Turn",
    "Usage",
    "UserMessage",
    "Workspace",
    "text_of",
]


class Effect(StrEnum):
    """What a tool can touch."""

    FS_READ = "fs.read"
    FS_WRITE = "fs.write"
    EXEC = "exec"
    NET = "net"
    SEND = "send"
    SPEND = "spend"


class FinishReason(StrEnum):
    """Why a model stopped."""

    STOP = "stop"
    TOOL_CALLS = "tool_calls"
    LENGTH = "length"
    CONTENT_FILTER = "content_filter"
    REFUSAL = "refusal"


class StopReason(StrEnum):
    """Why a turn ended."""

    COMPLETED = "completed"
    COMMAND = "command"
    ERROR = "error"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    MAX_ITERATIONS = "max_iterations"
    NO_PROGRESS = "no_progress"
    TIME_LIMIT = "time_limit"
    TOKEN_LIMIT = "token_limit"  # noqa: S105 - a count of tokens, no password
    EMPTY = "empty_final_response"
    BLOCKED = "blocked"


@dataclass(frozen=True, kw_only=True, slots=True)
class Effects:
    """What a tool does to the world; drives parallelism, recovery, approval and sandboxing.

    Args:
        touches: Kinds of things the tool can touch.
        read_only: Changes nothing; several such calls may run at once.
        idempotent: Running the same call twice leaves the same state as once.
    """

    touches: frozenset[Effect] = frozenset()
    read_only: bool = False
    idempotent: bool = False

    @property
    def repeatable(self) -> bool:
        """Tell whether an interrupted call may be run again."""
        return self.read_only or self.idempotent


@dataclass(frozen=True, kw_only=True, slots=True)
class Inbound:
    """A message on its way in.

    Args:
        id: The platform's message id, unique within the chat; duplicates are dropped by it.
        session_key: The session it belongs to, ``channel:chat`` unless routing says otherwise.
        principal: Who speaks.
        target: The chat it came from, and to which the answer goes.
        parts: What it says.
        origin: What caused it.
        received_at: When, with a time zone.
        reply_to: Id of the message it answers, if any.
        stored: Whoever hands it over keeps it durably until its turn is over.
        parent: The session that handed it on, for work of a subagent.
    """

    id: str
    session_key: str
    principal: Principal
    target: Target
    parts: tuple[Part, ...]
    received_at: datetime
    origin: Origin = Origin.USER
    reply_to: str = ""
    stored: bool = False
    parent: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """What the tools of a turn may touch on disk.

    Only data: tools open files through `nanobot_security.Disk`, which enforces it.

    Args:
        root: The folder that relative paths start from.
        restricted: True to refuse everything outside the root.
        denied: Folders and files that are refused even when unrestricted: the instance's own data
            and transcripts. The root itself is allowed where it lies within one.
        readable: Folders that may be read, though not written, wherever they lie: files that came
            in with messages.
    """

    root: Path
    restricted: bool = False
    denied: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """The facts about the running turn that tools, prompts and middleware may read.

    Args:
        id: Unique id of the turn.
        scope: Principal and session; hand it on to every memory or session call.
        target: The chat that the turn answers.
        origin: What caused it. A schedule-origin turn may not create schedules.
        workspace: What tools may touch on disk.
        now: When the turn started, in the user's time zone.
        query: The text that started the turn.
        profile: Name of the profile that answers, empty for the agent as configured.
    """

    id: str
    scope: Scope
    target: Target
    workspace: Workspace
    now: datetime
    origin: Origin = Origin.USER
    query: str = ""
    profile: str = ""


# --- what models say ---------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A model's wish to run a tool.

    Args:
        id: Unique within the answer; providers make one where the vendor sends none.
        name: Tool name as the model wrote it.
        arguments: The JSON text exactly as the model wrote it. Only the tool pipeline parses it.
        opaque: Vendor data that must be sent back with the call (a thought signature).
    """

    id: str
    name: str
    arguments: str
    opaque: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What a tool call came to: parts, and an error kind unless it went well.

    Build one with `ok` or `error`. Policy is decided on `kind`, never on words.

    Args:
        parts: What the model reads.
        kind: Empty when all went well, else a word such as ``not_found``.
        retryable: The same call may succeed later.
        target: What a refused call was about.
    """

    parts: tuple[Part, ...] = ()
    kind: str = ""
    retryable: bool = False
    target: str = ""

    @classmethod
    def ok(cls, *parts: Part | str, trust: Trust = Trust.TRUSTED) -> ToolResult:
        """Return a good result; plain strings become text with the given trust."""
        made = (Text(text=part, trust=trust) if isinstance(part, str) else part for part in parts)
        return cls(parts=tuple(made))

    @classmethod
    def error(
        cls, kind: str, message: str, *, retryable: bool = False, target: str = ""
    ) -> ToolResult:
        """Return an error result that tells the model what went wrong."""
        return cls(
            parts=(Text(text=message),), kind=kind or "failed", retryable=retryable, target=target
        )

    @property
    def is_error(self) -> bool:
        """Tell whether the call failed."""
        return bool(self.kind)

    @property
    def text(self) -> str:
        """Return the text of all parts."""
        return text_of(self.parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolUse:
    """A tool call together with its result."""

    call: ToolCall
    result: ToolResult


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningBlock:
    """Reasoning that a model showed, kept for vendors that want it back.

    Args:
        text: The readable reasoning, may be empty.
        dialect: Which dialect wrote it (``anthropic``, ``chat``); others must not replay it.
        opaque: Vendor data that belongs to it, such as a signature.
    """

    text: str
    dialect: str
    opaque: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class UserMessage:
    """What a user said, as a model reads it.

    Args:
        parts: The user's words, pictures and files.
        context: Volatile facts for this message (the time, a goal), sent after the words.
    """

    parts: tuple[Part, ...]
    context: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AssistantMessage:
    """What a model answered, with the results of the tools that it called."""

    text: str = ""
    tool_uses: tuple[ToolUse, ...] = ()
    reasoning: tuple[ReasoningBlock, ...] = ()


Message = UserMessage | AssistantMessage
