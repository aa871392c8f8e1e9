"""The history of a session: records folded into turns, and turns turned into messages for a model.

Whatever records there are, in whatever order a crash left them, the messages are valid for a model:
they start with a user, every tool call carries its result, and no answer is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from nanobot.messages import (
    AssistantMessage,
    Message,
    Origin,
    Part,
    ReasoningBlock,
    StopReason,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    Usage,
    UserMessage,
    text_of,
)

from nanobot_engine_standard import codec, tokens

INTERRUPTED = ToolResult.error(
    "interrupted",
    "The call was interrupted; whether it took effect is unknown. Check before you repeat it.",
)
_UNANSWERED = {
    StopReason.ERROR: "[No answer: the model could not be reached or failed.]",
    StopReason.CANCELLED: "[No answer: the user stopped the turn.]",
}
_INTERRUPTED_TURN = "[No answer: the turn was interrupted.]"


@dataclass(slots=True)
class Step:
    """One model answer and what its tool calls came to."""

    text: str
    calls: tuple[ToolCall, ...] = ()
    reasoning: tuple[ReasoningBlock, ...] = ()
    results: dict[str, ToolResult] = field(default_factory=dict)
    continues: bool = False

    def message(self) -> AssistantMessage:
        """Return the step as a message; calls without a result count as interrupted."""
        return AssistantMessage(
            text=self.text,
            reasoning=self.reasoning,
            tool_uses=tuple(
                ToolUse(call=call, result=self.results.get(call.id, INTERRUPTED))
                for call in self.calls
            ),
        )


@dataclass(slots=True)
class TurnRecord:
    """A user message and everything that came of it."""

    id: str
    user: UserMessage
    origin: Origin = Origin.USER
    steps: list[Step] = field(default_factory=list)
    stop_reason: str = ""
    _messages: tuple[Message, ...] = ()
    _tokens: int = 0

    @property
    def ended(self) -> bool:
        """Tell whether the turn came to its end."""
        return bool(self.stop_reason)

    def open_calls(self) -> list[ToolCall]:
        """Return the tool calls that have no result."""
        return [call for step in self.steps for call in step.calls if call.id not in step.results]

    def messages(self) -> tuple[Message, ...]:
        """Return the turn as messages; kept once the turn has ended."""
        if self._messages:
            return self._messages
        messages: list[Message] = [self.user]
        for step in self.steps:
            made = step.message()
            last = messages[-1]
            if step.continues and isinstance(last, AssistantMessage) and not last.tool_uses:
                messages[-1] = AssistantMessage(
                    text=last.text + made.text,
                    reasoning=last.reasoning + made.reasoning,
                    tool_uses=made.tool_uses,
                )
            elif made.text.strip() or made.tool_uses:
                messages.append(made)
        if self.ended:
            last = messages[-1]
            if isinstance(last, UserMessage) or last.tool_uses:
                words = _UNANSWERED.get(StopReason(self.stop_reason), _INTERRUPTED_TURN)
                messages.append(AssistantMessage(text=words))
            self._messages = tuple(messages)
        return tuple(messages)

    def tokens(self) -> int:
        """Return the estimated size of the turn, counted once."""
        if not self.ended:
            return sum(map(tokens.of_message, self.messages()))
        if not self._tokens:
            self._tokens = sum(map(tokens.of_message, self.messages()))
        return self._tokens


class History:
    """What a session is, folded from its records.

    Args:
        blobs: Returns the bytes of a stored picture.
    """

    def __init__(self, blobs: codec.Blobs = lambda digest: None) -> None:
        self._blobs = blobs
        self.turns: list[TurnRecord] = []
        self.preset = ""
        self.usage = Usage()
        self.last_usage = Usage()

    # --- folding --------------------------------------------------------------------------------

    def add(self, record: dict[str, Any]) -> None:
        """Take in one record; kinds that are not known are passed over."""
        handler: Callable[[dict[str, Any]], None] | None = getattr(
            self, f"_on_{record.get('type')}", None
        )
        if handler is not None:
            handler(record)

    def _on_user(self, record: dict[str, Any]) -> None:
        self._close(StopReason.INTERRUPTED)
        origin = record.get("origin")
        self.turns.append(
            TurnRecord(
                id=_text(record, "turn"),
                user=UserMessage(parts=self._parts(record), context=_text(record, "context")),
                origin=Origin(origin) if origin in set(Origin) else Origin.USER,
            )
        )

    def _on_assistant(self, record: dict[str, Any]) -> None:
        turn = self._open_turn(record)
        if turn is None:
            return
        calls = [codec.call_from_json(call) for call in _objects(record, "calls")]
        unique: dict[str, ToolCall] = {}
        for call in calls:
            if call.id and call.name:
                unique.setdefault(call.id, call)
        turn.steps.append(
            Step(
                text=_text(record, "text"),
                calls=tuple(unique.values()),
                reasoning=tuple(
                    codec.reasoning_from_json(block) for block in _objects(record, "reasoning")
                ),
                continues=record.get("continues") is True,
            )
        )
        self._count(record)

    def _on_tool(self, record: dict[str, Any]) -> None:
        turn = self._open_turn(record)
        call = _text(record, "call")
        for step in reversed(turn.steps if turn else ()):
            if any(known.id == call for known in step.calls):
                step.results.setdefault(call, codec.result_from_json(record, self._blobs))
                return

    def _on_end(self, record: dict[str, Any]) -> None:
        turn = self._open_turn(record)
        reason = _text(record, "stop_reason")
        if turn is not None:
            self._close(StopReason(reason) if reason in set(StopReason) else StopReason.INTERRUPTED)

    def _on_reset(self, record: dict[str, Any]) -> None:
        self.turns.clear()
        self.last_usage = Usage()

    def _on_preset(self, record: dict[str, Any]) -> None:
        self.preset = _text(record, "name")

    def _count(self, record: dict[str, Any]) -> None:
        usage = record.get("usage")
        if isinstance(usage, dict):
            self.last_usage = codec.usage_from_json(usage)
            self.usage += self.last_usage

    def _close(self, reason: StopReason) -> None:
        if self.turns and not self.turns[-1].ended:
            self.turns[-1].stop_reason = str(reason)

    def _open_turn(self, record: dict[str, Any]) -> TurnRecord | None:
        """Return the turn that a record belongs to: the last, if it is open and its own."""
        if not self.turns or self.turns[-1].ended:
            return None
        return self.turns[-1] if self.turns[-1].id == _text(record, "turn") else None

    def _parts(self, record: dict[str, Any]) -> tuple[Part, ...]:
        parts = tuple(codec.part_from_json(part, self._blobs) for part in _objects(record, "parts"))
        return parts or (Text(text="(empty message)"),)

    # --- using ----------------------------------------------------------------------------------

    @property
    def unfinished(self) -> TurnRecord | None:
        """Return the turn that a crash interrupted, None when the last one ended."""
        return self.turns[-1] if self.turns and not self.turns[-1].ended else None

    def texts(self) -> Sequence[tuple[str, str]]:
        """Return what was said, oldest first, as pairs of role and text."""
        said = []
        for turn in self.turns:
            for message in turn.messages():
                if isinstance(message, UserMessage):
                    said.append(("user", text_of(message.parts)))
                elif message.text.strip():
                    said.append(("assistant", message.text))
        return said


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _objects(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = record.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
