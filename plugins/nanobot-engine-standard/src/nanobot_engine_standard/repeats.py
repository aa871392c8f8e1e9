"""A message that came in twice: how it was answered the first time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from nanobot.events import TurnFinished
from nanobot.messages import StopReason

from nanobot_engine_standard.history import History, MessageKey, key_in
from nanobot_engine_standard.turns import TurnRecord

_CUT_OFF = (
    "/{name} was interrupted before; whether it took effect is not known. Send it again if it is "
    "still needed."
)


def end_of(turn: TurnRecord) -> TurnFinished:
    """Return how a turn that is over ended."""
    return TurnFinished(
        content=turn.content(),
        stop_reason=StopReason(turn.stop_reason),
        usage=turn.usage,
        error=turn.error,
        tools_used=turn.tools,
        model=turn.model,
        turn_id=turn.id,
    )


def find(records: Callable[[], Iterable[dict[str, Any]]], key: MessageKey) -> TurnFinished | None:
    """Look through all records for how a message was answered; None when it is not there."""
    history = History(keep_tokens=0)
    command: dict[str, Any] | None = None
    for record in records():
        if record["type"] == "command":
            if key_in(record) == key:
                command = record
            elif command is not None and record.get("turn") == command.get("turn"):
                return _replied(command, str(record.get("text")))
            continue
        history.add(record)
        if history.last is not None and key in history.last.keys:
            return end_of(history.last)
    if command is None:
        return None
    return _replied(command, _CUT_OFF.format(name=command.get("name")))


def _replied(command: dict[str, Any], text: str) -> TurnFinished:
    return TurnFinished(
        content=text, stop_reason=StopReason.COMMAND, turn_id=str(command.get("turn"))
    )
