"""The history of a session: records folded into turns, and turns turned into messages for a model.

Whatever records there are, in whatever order a crash left them, the messages are valid for a model:
they start with a user, every tool call carries its result, and no answer is empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from nanobot.messages import (
    Inbound,
    Message,
    Origin,
    Part,
    StopReason,
    Text,
    ToolCall,
    Usage,
    UserMessage,
    text_of,
)

from nanobot_engine_standard import codec
from nanobot_engine_standard.conversation import Conversation
from nanobot_engine_standard.turns import Step, TurnRecord

KEEP_TOKENS = 200_000
_ID_BYTES = 100
_SMALL_BYTES = 4000
_ORIGINS, _REASONS = frozenset(map(str, Origin)), frozenset(map(str, StopReason))

MessageKey = tuple[str, str, str, str]
"""What tells a message from all others: channel, account, chat, and its id there."""


def key_of(inbound: Inbound) -> MessageKey | None:
    """Return what tells a message from all others; None when it has no id."""
    if not inbound.id:
        return None
    return inbound.target.channel, inbound.target.account, inbound.target.chat, inbound.id


def key_in(record: dict[str, Any]) -> MessageKey | None:
    """Return the key of the message that a record stores, None when it stores none."""
    place = record.get("to")
    name = _text(record, "message")
    if not name or not isinstance(place, dict):
        return None
    return _text(place, "channel"), _text(place, "account"), _text(place, "chat"), name


class History:
    """What a session is, folded from its records.

    Args:
        keep_tokens: How much of turns that are over must stay in memory: a model's window.
    """

    def __init__(self, keep_tokens: int = KEEP_TOKENS) -> None:
        self.past = Conversation(keep_tokens)
        self.open: TurnRecord | None = None
        self.last: TurnRecord | None = None
        self.count = 0
        self.preset = ""
        self.usage = Usage()
        self.last_usage = Usage()
        self.scales: dict[str, float] = {}
        self._known: set[int] = set()

    # --- folding --------------------------------------------------------------------------------

    def add(self, record: dict[str, Any]) -> None:
        """Take in one record; kinds that are not known are passed over."""
        handler: Callable[[dict[str, Any]], None] | None = getattr(
            self, f"_on_{record.get('type')}", None
        )
        if handler is not None:
            handler(record)

    def _on_user(self, record: dict[str, Any]) -> None:
        message = UserMessage(parts=_parts(record), context=_text(record, "context"))
        key = key_in(record)
        if key is not None:
            self._known.add(hash(key))
        turn = self._of_open(record)
        if turn is None or not turn.id:
            self._close(StopReason.INTERRUPTED)
            origin = record.get("origin")
            turn = self.open = TurnRecord(
                id=_text(record, "turn"),
                user=message,
                origin=Origin(origin) if origin in _ORIGINS else Origin.USER,
                speaker=_object(record, "from_"),
                place=_object(record, "to"),
            )
            self.count += 1
        else:
            turn.steps.append(message)
        if key is not None:
            turn.keys.add(key)

    def _on_assistant(self, record: dict[str, Any]) -> None:
        turn = self._of_open(record)
        if turn is None:
            return
        unique: dict[str, ToolCall] = {}
        for call in map(codec.call_from_json, _objects(record, "calls")):
            if call.id and call.name:
                unique.setdefault(call.id, call)
        turn.steps.append(
            Step(
                text=_text(record, "text"),
                calls=tuple(unique.values()),
                reasoning=tuple(map(codec.reasoning_from_json, _objects(record, "reasoning"))),
                continues=record.get("continues") is True,
                finish=_text(record, "finish"),
                stop=_text(record, "stop"),
            )
        )
        turn.model = _text(record, "model") or turn.model
        usage = record.get("usage")
        if isinstance(usage, dict):
            self.last_usage = codec.usage_from_json(usage)
            self.usage += self.last_usage
            turn.usage += self.last_usage

    def _on_tool(self, record: dict[str, Any]) -> None:
        turn = self._of_open(record)
        if turn is not None:
            turn.take_result(_text(record, "call"), codec.result_from_json(record))

    def _on_end(self, record: dict[str, Any]) -> None:
        turn = self._of_open(record)
        if turn is None:
            return
        reason = _text(record, "stop_reason")
        turn.error = _text(record, "error")
        if isinstance(record.get("content"), str):
            turn.final = record["content"]
        turn.model = _text(record, "model") or turn.model
        tools = record.get("tools")
        turn.tools = tuple(map(str, tools)) if isinstance(tools, list) else ()
        self._close(StopReason(reason) if reason in _REASONS else StopReason.INTERRUPTED)

    def _on_resumed(self, record: dict[str, Any]) -> None:
        turn = self._of_open(record)
        if turn is not None:
            turn.resumed += 1

    def _on_command(self, record: dict[str, Any]) -> None:
        key = key_in(record)
        if key is not None:
            self._known.add(hash(key))

    def _on_reset(self, record: dict[str, Any]) -> None:
        self.open = self.last = None
        self.count = 0
        self.past.clear()
        self.scales.clear()
        self.last_usage = Usage()

    def _on_preset(self, record: dict[str, Any]) -> None:
        self.preset = _text(record, "name")

    def _on_shrunk(self, record: dict[str, Any]) -> None:
        scale = record.get("scale")
        if isinstance(scale, float) and 0 < scale <= 1:
            self.scales[_text(record, "model")] = scale

    def _close(self, reason: StopReason) -> None:
        turn = self.open
        if turn is not None:
            self.open, self.last = None, turn
            turn.stop_reason = str(reason)
            self.past.add(*turn.messages())

    def _of_open(self, record: dict[str, Any]) -> TurnRecord | None:
        """Return the turn that a record belongs to: the open one, if it is its own."""
        turn = self.open
        return turn if turn is not None and turn.id == _text(record, "turn") else None

    # --- using ----------------------------------------------------------------------------------

    def knows(self, key: MessageKey | None) -> bool:
        """Tell whether a message may have been stored; only a look at the file makes it sure."""
        return key is not None and hash(key) in self._known

    def holds_open(self, key: MessageKey | None) -> bool:
        """Tell whether a message belongs to the turn that has not ended."""
        return self.open is not None and key in self.open.keys

    def texts(self, count: int) -> Sequence[tuple[str, str]]:
        """Return what was said last, oldest first, as pairs of role and text."""
        said = list(islice(self._backwards(), count))
        return said[::-1]

    def _backwards(self) -> Iterator[tuple[str, str]]:
        running = self.open.messages()[0] if self.open else []
        for messages in (reversed(running), self.past.backwards()):
            for message in messages:
                if isinstance(message, UserMessage):
                    yield "user", text_of(message.parts)
                elif message.text.strip():
                    yield "assistant", message.text

    def messages(self) -> list[Message]:
        """Return all that is in memory as messages."""
        running = self.open.messages()[0] if self.open else []
        return [*reversed(list(self.past.backwards())), *running]

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        return _SMALL_BYTES + self.past.weight + len(self._known) * _ID_BYTES


def _parts(record: dict[str, Any]) -> tuple[Part, ...]:
    parts = tuple(map(codec.part_from_json, _objects(record, "parts")))
    return parts or (Text(text="(empty message)"),)


def _text(record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    return value if isinstance(value, str) else ""


def _object(record: dict[str, Any], key: str) -> dict[str, Any]:
    value = record.get(key)
    return value if isinstance(value, dict) else {}


def _objects(record: dict[str, Any], key: str) -> list[dict[str, Any]]:
    value = record.get(key)
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
