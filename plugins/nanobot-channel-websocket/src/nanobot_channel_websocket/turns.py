"""What happens in a turn, as the events that clients know."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from nanobot.events import (
    Notice,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
    TurnStarted,
)
from nanobot.messages import StopReason, ToolCall, ToolResult, Usage
from nanobot_documents import strict_json
from nanobot_gateway.channel import Update

from nanobot_channel_websocket.chats import Chat, Turn
from nanobot_channel_websocket.wire import quote

LONGEST_RESULT = 16_000  # characters of a tool's result that clients are shown
LONGEST_ARGUMENT = 4_000
LONGEST_HINT = 160
BETWEEN_SEGMENTS = "\n\n"
_CUT_SHORT = (StopReason.CANCELLED, StopReason.INTERRUPTED)
END = "\n"  # a client that reads nothing but text is told the end of a turn by a line's end


class Narrator:
    """Tells chats what happens in their turns.

    Args:
        streaming: Answers are shown while they are written, else when they are whole.
        everyone: Sends an event to every client, whatever it watches.
    """

    def __init__(
        self,
        *,
        streaming: bool,
        everyone: Callable[[Mapping[str, object]], None],
    ) -> None:
        self._streaming = streaming
        self._everyone = everyone
        self._kinds: dict[type[TurnEvent], Callable[[Chat, Turn, Any], None]] = {
            TurnStarted: self._started,
            TextDelta: self._text,
            ReasoningDelta: self._thought,
            StreamEnd: self._segment_ends,
            Notice: self._notice,
            TurnFinished: self._finished,
        }

    def tell(self, chat: Chat, update: Update) -> None:
        """Add a turn's events to its chat."""
        events, at = update.events, 0
        while at < len(events):
            event = events[at]
            kind = type(event)
            turn = chat.turn
            if turn is None or turn.id != update.answers:
                if update.answers and update.answers == chat.ended[0] and kind is not TurnStarted:
                    return  # it is over
                turn = self._start(chat, update.answers)
            if kind is ToolStarted or kind is ToolFinished:
                end = at + 1
                while end < len(events) and type(events[end]) is kind:
                    end += 1
                self._calls(chat, turn, events[at:end])
                at = end
                continue
            if kind in self._kinds:
                self._kinds[kind](chat, turn, event)
            at += 1

    def _start(self, chat: Chat, id: str) -> Turn:
        marked, started = chat.asked.pop(id, (bool(id), time.time()))
        turn = Turn(id=id, marked=marked, started_at=started, began=time.monotonic())
        chat.turn = turn
        chat.tell("goal_status", {"status": "running", "started_at": started, **_name(turn)})
        return turn

    def _started(self, chat: Chat, turn: Turn, event: TurnStarted) -> None:
        self._name_model(chat, turn, event.model)

    @staticmethod
    def _name_model(chat: Chat, turn: Turn, model: str) -> None:
        """Say which model answers; at the end again only if another one had to."""
        if model and model != turn.model:
            turn.model = model
            chat.tell("turn_model_updated", {"model_name": model, **_name(turn)})

    # --- text -------------------------------------------------------------------------------------

    def _text(self, chat: Chat, turn: Turn, event: TextDelta) -> None:
        if not self._streaming:
            return
        run = turn.run
        if run is not None and not turn.thinking and chat.write(run, event.text, plain=True):
            return
        self._end_thought(chat, turn)
        if turn.said and not turn.written:
            chat.tell_plain("delta", BETWEEN_SEGMENTS)
        turn.written = True
        tail = f',"stream_id":{quote(_stream(chat, turn))}{_marks(turn, "answer")}'
        turn.run = run = chat.begin("delta", tail)
        chat.write(run, event.text, plain=True)

    def _thought(self, chat: Chat, turn: Turn, event: ReasoningDelta) -> None:
        run = turn.run
        if run is not None and turn.thinking and chat.write(run, event.text, plain=False):
            return
        turn.thinking = True
        turn.run = run = chat.begin("reasoning_delta", _marks(turn, "reasoning"))
        chat.write(run, event.text, plain=False)

    def _end_thought(self, chat: Chat, turn: Turn) -> None:
        if turn.thinking:
            turn.thinking, turn.run = False, None
            chat.tell("reasoning_end", {}, phase="reasoning")

    def _segment_ends(self, chat: Chat, turn: Turn, event: StreamEnd) -> None:
        self._end_thought(chat, turn)
        if not self._streaming:
            return
        more = {"resuming": True} if event.resuming else {}
        chat.tell("stream_end", {"stream_id": _stream(chat, turn), **more}, phase="answer")
        turn.said = turn.said or turn.written
        # The last segment stays known as written: its text is what `TurnFinished` repeats.
        turn.written = turn.written and not event.resuming
        turn.run = None
        turn.segment += 1

    def _notice(self, chat: Chat, turn: Turn, event: Notice) -> None:
        self._end_thought(chat, turn)
        fields = {"text": event.text, "kind": "progress", "notice": event.kind}
        chat.tell("message", fields, phase="activity")

    # --- tools ------------------------------------------------------------------------------------

    def _calls(self, chat: Chat, turn: Turn, events: Sequence[TurnEvent]) -> None:
        self._end_thought(chat, turn)
        made: list[dict[str, object]] = []
        hints: list[str] = []
        for event in events:
            if isinstance(event, ToolStarted):
                arguments = event.arguments or _arguments(event.call)
                turn.arguments[event.call.id] = arguments
                made.append(_tool_event("start", event.call, arguments, None))
                hints.append(_hint(event.call.name, arguments))
            elif isinstance(event, ToolFinished):
                arguments = turn.arguments.pop(event.call.id, {}) or _arguments(event.call)
                phase = "error" if event.result.is_error else "end"
                made.append(_tool_event(phase, event.call, arguments, event.result))
        fields = {
            "text": ", ".join(hints),
            "tool_events": made,
            "kind": "tool_hint" if hints else "progress",
        }
        chat.tell("message", fields, phase="activity")

    # --- the end ----------------------------------------------------------------------------------

    def _finished(self, chat: Chat, turn: Turn, event: TurnFinished) -> None:
        self._end_thought(chat, turn)
        if turn.run is not None:
            self._segment_ends(chat, turn, StreamEnd(resuming=False))
        text = self._unseen(turn, event)
        if text:
            chat.tell("message", {"text": text}, phase="answer", plain=True)
        chat.ended = (turn.id, event.content, event.error)
        self._name_model(chat, turn, event.model)
        chat.tell("turn_end", _summary(turn, event), phase="complete")
        if self._streaming:
            chat.tell_plain("turn_end", END)
        chat.flush()
        self._everyone({"event": "session_updated", "chat_id": chat.id, "scope": "thread"})
        chat.tell("goal_status", {"status": "idle", **_name(turn)})
        chat.turn = None

    @staticmethod
    def _unseen(turn: Turn, event: TurnFinished) -> str:
        """Return what of the end of a turn was not shown while it was written."""
        repeats = turn.said and (event.error or event.stop_reason in _CUT_SHORT)
        content = "" if turn.written or repeats else event.content
        error = f"⚠ {event.error}" if event.error else ""
        return f"{content}\n\n{error}" if content and error else content or error


def _name(turn: Turn) -> dict[str, object]:
    return {"turn_id": turn.id} if turn.marked else {}


def _marks(turn: Turn, phase: str) -> str:
    if not turn.marked:
        return ""
    return f',"turn_id":{quote(turn.id)},"turn_phase":"{phase}"'


def _stream(chat: Chat, turn: Turn) -> str:
    return f"websocket:{chat.id}:{int(turn.started_at * 1e9)}:{turn.segment}"


def _summary(turn: Turn, event: TurnFinished) -> dict[str, object]:
    summary: dict[str, object] = {
        "latency_ms": int((time.monotonic() - turn.began) * 1000),
        "stop_reason": str(event.stop_reason),
    }
    if event.usage.calls:
        summary["usage"] = _usage(event.usage)
    if event.error:
        summary["error"] = event.error
    return summary


def _usage(usage: Usage) -> dict[str, object]:
    billed = usage.billed
    total = billed.input + billed.output
    numbers: dict[str, object] = {
        "prompt_tokens": billed.input,
        "completion_tokens": billed.output,
        "total_tokens": total,
        "context_tokens": int(usage.context),
        "request_count": usage.calls,
        "provider_tokens": 0 if usage.estimated else total,
    }
    if billed.cached:
        numbers["cached_tokens"] = billed.cached
    if usage.estimated:
        numbers["estimated_tokens"] = total
    return numbers


def _arguments(call: ToolCall) -> Mapping[str, object]:
    try:
        value = strict_json.loads(call.arguments)
    except strict_json.JsonError:
        return {}
    return value if isinstance(value, dict) else {}


def _tool_event(
    phase: str, call: ToolCall, arguments: Mapping[str, object], result: ToolResult | None
) -> dict[str, object]:
    text = result.text[:LONGEST_RESULT] if result else None
    return {
        "version": 1,
        "phase": phase,
        "call_id": call.id,
        "name": call.name,
        "arguments": {key: _clipped(value) for key, value in arguments.items()},
        "result": None if phase == "error" else text,
        "error": text if phase == "error" else None,
        "files": [],
        "embeds": [],
    }


def _clipped(value: object) -> object:
    """Shorten a long text; a file that is written is not sent to clients once more."""
    if isinstance(value, str) and len(value) > LONGEST_ARGUMENT:
        return value[:LONGEST_ARGUMENT] + "…"
    return value


def _hint(name: str, arguments: Mapping[str, object]) -> str:
    """Say in a line what a tool is about to do: its name and the first text it was given."""
    first = next((value for value in arguments.values() if isinstance(value, str)), "")
    line = " ".join(first.split())
    hint = f"{name} {line}" if line else name
    return hint if len(hint) <= LONGEST_HINT else hint[: LONGEST_HINT - 1] + "…"
