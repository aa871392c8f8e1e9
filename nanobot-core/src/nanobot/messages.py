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
from typing import NewType

ContextTokens = NewType("ContextTokens", int)
"""How full the model's window is. Not the bill: see `BilledTokens`."""


class Origin(StrEnum):
    """Who caused a message."""

    USER = "user"
    SCHEDULE = "schedule"
    TRIGGER = "trigger"
    AGENT = "agent"
    SYSTEM = "system"


class Role(StrEnum):
    """What a principal may do; `allows` compares."""

    GUEST = "guest"
    USER = "user"
    OWNER = "owner"

    def allows(self, needed: Role) -> bool:
        """Tell whether this role includes the needed one."""
        order = (Role.GUEST, Role.USER, Role.OWNER)
        return order.index(self) >= order.index(needed)


class Trust(StrEnum):
    """Where content comes from; the mark stays with it into transcript and memory."""

    TRUSTED = "trusted"
    UNTRUSTED = "untrusted"


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
class Principal:
    """Who speaks: a stable identity on one account of one channel, and its role.

    Args:
        channel: Channel name, such as ``cli`` or ``feishu``.
        account: Account of the channel on which the message came in.
        user: The platform's stable user id, never a display name.
        role: What this user may do.
    """

    channel: str
    user: str
    account: str = "default"
    role: Role = Role.GUEST


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """Where a message comes from or goes to: one chat, perhaps one thread in it."""

    channel: str
    chat: str
    account: str = "default"
    thread: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scope:
    """On whose behalf sessions and memory are used; every such call takes one."""

    principal: Principal
    session_key: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Text:
    """A piece of text."""

    text: str
    trust: Trust = Trust.TRUSTED


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A picture for a vision model.

    Args:
        data: The encoded bytes.
        media_type: Such as ``image/png``.
        name: File name or caption, shown where the picture can not be.
    """

    data: bytes = field(repr=False)
    media_type: str
    name: str = ""
    trust: Trust = Trust.TRUSTED


@dataclass(frozen=True, kw_only=True, slots=True)
class File:
    """A file that the model reads on demand with its tools."""

    path: str
    media_type: str = ""
    name: str = ""
    trust: Trust = Trust.UNTRUSTED


Part = Text | Image | File


def text_of(parts: tuple[Part, ...]) -> str:
    """Join the text of some parts; pictures and files become a bracketed mention."""
    out = []
    for part in parts:
        if isinstance(part, Text):
            out.append(part.text)
        elif isinstance(part, Image):
            out.append(f"[image: {part.name or part.media_type}]")
        else:
            out.append(f"[file: {part.path}]")
    return "\n".join(out)


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
    """

    id: str
    session_key: str
    principal: Principal
    target: Target
    parts: tuple[Part, ...]
    received_at: datetime
    origin: Origin = Origin.USER
    reply_to: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """What the tools of a turn may touch on disk.

    Only data: tools open files through `nanobot_security.Disk`, which enforces it.

    Args:
        root: The folder that relative paths start from.
        restricted: True to refuse everything outside the root.
        denied: Folders and files that are refused even when unrestricted: the instance's own data
            and transcripts. The root itself is allowed where it lies within one.
    """

    root: Path
    restricted: bool = False
    denied: tuple[Path, ...] = ()


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
    """

    id: str
    scope: Scope
    target: Target
    workspace: Workspace
    now: datetime
    origin: Origin = Origin.USER
    query: str = ""


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


# --- what it costs -----------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True, slots=True)
class BilledTokens:
    """What a vendor charges for.

    Args:
        input: Prompt tokens, cached ones included.
        output: Answer tokens, reasoning included.
        cached: Part of `input` that was read from the vendor's cache.
        cache_write: Part of `input` that was written to the vendor's cache.
        reasoning: Part of `output` that was reasoning.
    """

    input: int = 0
    output: int = 0
    cached: int = 0
    cache_write: int = 0
    reasoning: int = 0

    def __add__(self, other: BilledTokens) -> BilledTokens:
        return BilledTokens(
            input=self.input + other.input,
            output=self.output + other.output,
            cached=self.cached + other.cached,
            cache_write=self.cache_write + other.cache_write,
            reasoning=self.reasoning + other.reasoning,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one or several model calls used.

    Args:
        billed: Tokens charged, summed over the calls.
        context: How full the window was at the last call.
        calls: Number of model calls.
        estimated: True when the vendor reported nothing and the numbers are our estimate.
    """

    billed: BilledTokens = BilledTokens()
    context: ContextTokens = ContextTokens(0)
    calls: int = 0
    estimated: bool = False

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            billed=self.billed + other.billed,
            context=other.context or self.context,
            calls=self.calls + other.calls,
            estimated=self.estimated or other.estimated,
        )
