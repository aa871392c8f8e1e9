"""What happens during a turn, told to whoever shows it.

The stream of a turn is: `TurnStarted`, then any of the others, then exactly one `TurnFinished`.
Readers ignore kinds that they do not know; new ones are added over time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from nanobot.messages import StopReason, ToolCall, ToolResult, Usage


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnStarted:
    """A turn was accepted and stored.

    Args:
        model: The model that is asked first, empty for a command.
    """

    turn_id: str
    session_key: str
    model: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDelta:
    """Answer text to append to what is already shown."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningDelta:
    """Reasoning text, shown apart from the answer."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamEnd:
    """A run of text is over.

    Args:
        resuming: True when the turn goes on with tools or another answer.
    """

    resuming: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolStarted:
    """A tool call begins."""

    call: ToolCall
    arguments: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolFinished:
    """A tool call came to an end.

    Args:
        seconds: How long it ran.
    """

    call: ToolCall
    result: ToolResult
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something that the user should see but that is no answer: a retry, a fallback, a warning.

    Args:
        kind: ``retry``, ``fallback``, ``compaction``, ``recovery`` or ``warning``.
    """

    kind: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnFinished:
    """A turn is over and stored.

    Args:
        content: The final answer, or for a failed turn what was said before it failed.
        error: Why it failed, in words for the user; empty when it did not.
        tools_used: Names of the tools that ran, in order, without repeats.
        model: The model that gave the final answer.
    """

    content: str
    stop_reason: StopReason
    usage: Usage = Usage()
    error: str = ""
    tools_used: tuple[str, ...] = ()
    model: str = ""
    turn_id: str = ""


TurnEvent = (
    TurnStarted
    | TextDelta
    | ReasoningDelta
    | StreamEnd
    | ToolStarted
    | ToolFinished
    | Notice
    | TurnFinished
)
