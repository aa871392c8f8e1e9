"""What the SDK tells of a run: its result, and the events of a stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from nanobot.events import (
    ReasoningDelta,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from nanobot.messages import StopReason, Usage

RUN_STARTED = "run.started"
TEXT_DELTA = "text.delta"
TEXT_COMPLETED = "text.completed"
REASONING_DELTA = "reasoning.delta"
TOOL_STARTED = "tool.started"
TOOL_COMPLETED = "tool.completed"
TOOL_FAILED = "tool.failed"
RUN_COMPLETED = "run.completed"
RUN_FAILED = "run.failed"
_FAILED = (StopReason.ERROR, StopReason.CANCELLED, StopReason.INTERRUPTED)


@dataclass(frozen=True, kw_only=True, slots=True)
class RunResult:
    """What a run came to.

    Args:
        content: The final answer.
        tools_used: Names of the tools that ran.
        stop_reason: ``completed``, or why it stopped before that.
        error: What went wrong, empty when nothing did.
    """

    content: str
    tools_used: tuple[str, ...] = ()
    usage: Usage = Usage()
    stop_reason: str = ""
    error: str = ""
    model: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamEvent:
    """Something that happened during a run; type is one of this module's constants."""

    type: str
    delta: str = ""
    name: str = ""
    tool_call_id: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    content: str = ""
    resuming: bool = False
    error: str = ""
    result: RunResult | None = None


def result_of(event: TurnFinished) -> RunResult:
    return RunResult(
        content=event.content,
        tools_used=event.tools_used,
        usage=event.usage,
        stop_reason=str(event.stop_reason),
        error=event.error,
        model=event.model,
    )


def stream_event(event: TurnEvent) -> StreamEvent | None:
    if isinstance(event, TurnStarted):
        return StreamEvent(type=RUN_STARTED)
    if isinstance(event, TextDelta):
        return StreamEvent(type=TEXT_DELTA, delta=event.text)
    if isinstance(event, ReasoningDelta):
        return StreamEvent(type=REASONING_DELTA, delta=event.text)
    if isinstance(event, ToolStarted):
        return StreamEvent(
            type=TOOL_STARTED,
            name=event.call.name,
            tool_call_id=event.call.id,
            arguments=event.arguments,
        )
    if isinstance(event, ToolFinished):
        failed = event.result.is_error
        return StreamEvent(
            type=TOOL_FAILED if failed else TOOL_COMPLETED,
            name=event.call.name,
            tool_call_id=event.call.id,
            content=event.result.text,
            error=event.result.kind,
        )
    if isinstance(event, TurnFinished):
        failed = event.stop_reason in _FAILED
        return StreamEvent(
            type=RUN_FAILED if failed else RUN_COMPLETED,
            content=event.content,
            error=event.error,
            result=result_of(event),
        )
    return None
