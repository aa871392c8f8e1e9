"""How the events of a turn are put into words, the same with and without a terminal."""

from __future__ import annotations

import json
from collections.abc import Mapping

from nanobot.events import ToolFinished, TurnFinished
from nanobot.log import redact
from nanobot.messages import StopReason, ToolCall

from nanobot_cli_chat.sanitize import one_line

_ARGUMENTS = 40  # characters shown of a call's arguments
_LOOKED_AT = 1000  # characters of them that are searched for secrets before the cut

_ENDINGS = {
    StopReason.CANCELLED: "Stopped.",
    StopReason.INTERRUPTED: "Interrupted.",
    StopReason.MAX_ITERATIONS: "Stopped: the limit of model calls for one turn is reached.",
    StopReason.NO_PROGRESS: "Stopped: the same step was repeated without progress.",
    StopReason.TIME_LIMIT: "Stopped: the time limit of the turn is reached.",
    StopReason.TOKEN_LIMIT: "Stopped: the token limit of the turn is reached.",
    StopReason.EMPTY: "The model gave no answer.",
    StopReason.BLOCKED: "Stopped: a tool tried to reach what it may not.",
}


def call_label(call: ToolCall, arguments: Mapping[str, object]) -> str:
    """Return a tool's name and a glimpse of its arguments, without secrets, on one line."""
    pairs = arguments.items()
    values = [f"{key}={_value(value)}" for key, value in pairs] or [call.arguments.strip("{} ")]
    glimpse = one_line(redact(", ".join(values)[:_LOOKED_AT]), _ARGUMENTS)
    return f"{one_line(call.name, _ARGUMENTS)} {glimpse}".rstrip()


def _value(value: object) -> str:
    if isinstance(value, str):
        return value[:_LOOKED_AT]
    return json.dumps(value, ensure_ascii=False, default=str)


def call_line(label: str, event: ToolFinished) -> str:
    """Return the line that remains of a finished tool call."""
    mark = "✗" if event.result.is_error else "✓"
    kind = f" {one_line(event.result.kind, _ARGUMENTS)}" if event.result.is_error else ""
    return f"{mark} {label} ({event.seconds:.1f} s){kind}"


def ending(event: TurnFinished) -> str:
    """Return what to say about a turn that ended early without an error, else nothing."""
    return "" if event.error else _ENDINGS.get(event.stop_reason, "")


def unsaid(event: TurnFinished, said: str) -> str:
    """Return the answer when it did not come piece by piece, as with slash commands."""
    content = event.content.strip()
    return "" if content in said else content
