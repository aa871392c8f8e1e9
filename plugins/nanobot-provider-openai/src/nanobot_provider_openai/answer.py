"""Puts the events of a streamed response together."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from nanobot.messages import (
    BilledTokens,
    ContextTokens,
    FinishReason,
    ReasoningBlock,
    ToolCall,
    Usage,
)
from nanobot.provider import ModelEvent, ModelFinish, ModelReasoning, ModelText

from nanobot_provider_openai.convert import DIALECT
from nanobot_provider_openai.faults import Faults

_BYTES_PER_TOKEN = 4
_MOST_CALLS = 128
_PICTURE = re.compile(rb'"data:image/[^"]*"')
_ENDS = frozenset({"response.completed", "response.incomplete"})
_FAILS = frozenset({"error", "response.failed", "response.cancelled"})


@dataclass(kw_only=True, slots=True)
class _Item:
    """One output item as it grows.

    Attributes:
        kind: Its type, such as ``message``.
        final: The item as it was last given.
        done: True once it was given whole.
        arguments: The arguments of a call.
        shown: Indices of the parts of which something was shown.
    """

    kind: str = ""
    final: Mapping[str, Any] = field(default_factory=dict)
    done: bool = False
    arguments: str = ""
    shown: set[int] = field(default_factory=set)


class Answer:
    """One response as it grows.

    Args:
        faults: Makes the errors of this request.
        sent: The request, for an estimate when usage is missing.
        digest: What the conversation is known by if the vendor stores it, else empty.
    """

    def __init__(self, faults: Faults, *, sent: bytes, digest: str = "") -> None:
        self._faults = faults
        self._sent = sent
        self._digest = digest
        self._received = 0
        self._items: dict[int, _Item] = {}
        self._said: _Item | None = None
        self._thought: tuple[int, int] | None = None
        self._refused = False
        self._started = False
        self._response: Mapping[str, Any] | None = None

    def feed(self, event: Mapping[str, Any]) -> list[ModelEvent]:
        """Take one event of the stream, and return what it shows.

        Kinds that are not known are passed over.

        Raises:
            ProviderError: The event reports a failure, or has not the shape of its kind.
        """
        try:
            return list(self._take(event))
        except (AttributeError, LookupError, TypeError, ValueError):
            raise self._faults.malformed() from None

    def finish(self) -> ModelFinish:
        """Return the end of the answer.

        Raises:
            MalformedAnswer: The stream was none of the Responses API.
            TransportError: The stream ended before its end.
        """
        if self._response is None:
            raise self._faults.broken() if self._started else self._faults.malformed()
        try:
            return self._finish(self._response)
        except (AttributeError, LookupError, TypeError, ValueError):
            raise self._faults.malformed() from None

    def _take(self, event: Mapping[str, Any]) -> Iterator[ModelEvent]:
        kind = _text(event.get("type"))
        if kind in _FAILS:
            raise self._faults.reported(event)
        self._started = self._started or kind.startswith("response.")
        if kind in _ENDS:
            self._response = dict(event["response"])
            for index, item in enumerate(self._response.get("output") or []):
                if not self._item(index).done:
                    yield from self._done(self._item(index), index, item)
            return
        if not kind.startswith("response."):
            return
        index = int(event.get("output_index", 0))
        item = self._item(index)
        match kind:
            case "response.output_item.added":
                item.final = dict(event["item"])
                item.kind = _text(item.final.get("type"))
                item.arguments = _arguments(item.final.get("arguments"))
            case "response.output_item.done":
                yield from self._done(item, index, event["item"])
            case "response.function_call_arguments.delta":
                item.arguments += _text(event["delta"])
            case "response.function_call_arguments.done":
                item.arguments = _arguments(event.get("arguments")) or item.arguments
            case "response.output_text.delta" | "response.refusal.delta":
                self._refused = self._refused or "refusal" in kind
                yield from self._say(item, int(event["content_index"]), _text(event["delta"]))
            case "response.reasoning_summary_text.delta":
                part = int(event["summary_index"])
                yield from self._think(item, index, part, _text(event["delta"]))
            case "response.reasoning_text.delta":
                part = int(event["content_index"])
                yield from self._think(item, index, part, _text(event["delta"]))

    def _item(self, index: int) -> _Item:
        return self._items.setdefault(index, _Item())

    def _done(self, item: _Item, index: int, final: Mapping[str, Any]) -> Iterator[ModelEvent]:
        """Take a whole item, and show what its deltas did not."""
        item.final = dict(final)
        item.kind = _text(final.get("type"))
        item.done = True
        if item.kind == "function_call":
            item.arguments = _arguments(final.get("arguments")) or item.arguments
        elif item.kind == "message":
            for number, part in enumerate(final.get("content") or []):
                refusal = _text(part.get("refusal"))
                self._refused = self._refused or bool(refusal)
                if number not in item.shown:
                    yield from self._say(item, number, refusal or _text(part.get("text")))
        elif item.kind == "reasoning":
            for number, part in enumerate(final.get("summary") or []):
                if number not in item.shown:
                    yield from self._think(item, index, number, _text(part.get("text")))

    def _say(self, item: _Item, part: int, text: str) -> Iterator[ModelEvent]:
        if not text:
            return
        if self._said is not None and self._said is not item:
            text = f"\n\n{text}"
        self._said = item
        item.shown.add(part)
        self._received += len(text)
        yield ModelText(text=text)

    def _think(self, item: _Item, index: int, part: int, text: str) -> Iterator[ModelEvent]:
        if not text:
            return
        if self._thought is not None and self._thought != (index, part):
            text = f"\n\n{text}"
        self._thought = (index, part)
        item.shown.add(part)
        self._received += len(text)
        yield ModelReasoning(text=text)

    def _finish(self, response: Mapping[str, Any]) -> ModelFinish:
        cut = response.get("status") == "incomplete"
        calls = self._calls(cut=cut)
        if len(calls) > _MOST_CALLS:
            raise self._faults.malformed()
        reason = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        if cut:
            why = (response.get("incomplete_details") or {}).get("reason")
            filtered = why == "content_filter"
            reason = FinishReason.CONTENT_FILTER if filtered else FinishReason.LENGTH
        if self._refused:
            reason = FinishReason.REFUSAL
        return ModelFinish(
            reason=reason,
            tool_calls=tuple(calls.values()),
            reasoning=(*self._reasoning(calls), *self._stored(response, calls)),
            usage=self._bill(response.get("usage") or {}),
            model=_text(response.get("model")) or self._faults.model,
        )

    def _calls(self, *, cut: bool) -> dict[int, ToolCall]:
        """Return the calls by the index of their item, with unique ids."""
        calls: dict[int, ToolCall] = {}
        used: set[str] = set()
        for index, item in sorted(self._items.items()):
            if item.kind != "function_call":
                continue
            arguments = item.arguments or "{}"
            if cut and not _is_json(arguments):
                continue
            call_id = _text(item.final.get("call_id"))
            if not call_id or call_id in used:
                call_id = f"call_{uuid.uuid4().hex}"
            used.add(call_id)
            name = _text(item.final.get("name"))
            calls[index] = ToolCall(id=call_id, name=name, arguments=arguments)
        return calls

    def _reasoning(self, calls: Mapping[int, ToolCall]) -> tuple[ReasoningBlock, ...]:
        """Return reasoning items with what they led to, and the phase that a message is in."""
        blocks = []
        open_items: list[dict[str, object]] = []
        for index, item in sorted(self._items.items()):
            if item.kind == "reasoning":
                kept = {name: value for name, value in item.final.items() if name != "status"}
                opaque: dict[str, object] = {"model": self._faults.model, "item": kept}
                open_items.append(opaque)
                parts = item.final.get("summary") or item.final.get("content") or []
                text = "\n\n".join(_text(part.get("text")) for part in parts)
                blocks.append(ReasoningBlock(text=text, dialect=DIALECT, opaque=opaque))
                continue
            if item.kind == "message" or index in calls:
                follower = calls[index].id if index in calls else ""
                for opaque in open_items:
                    opaque["before"] = follower
            open_items = []  # what led to a hosted call may only be sent back with that
            if phase := item.final.get("phase"):
                opaque = {"model": self._faults.model, "phase": phase}
                blocks.append(ReasoningBlock(text="", dialect=DIALECT, opaque=opaque))
        return tuple(blocks)

    def _stored(
        self, response: Mapping[str, Any], calls: Mapping[int, ToolCall]
    ) -> Iterator[ReasoningBlock]:
        """Return where the conversation may go on, if the vendor stores it and has all its ids."""
        known = all(call.id == self._items[n].final.get("call_id") for n, call in calls.items())
        stored = _text(response.get("id"))
        if self._digest and stored and known and response.get("status") == "completed":
            opaque = {"model": self._faults.model, "response": stored, "digest": self._digest}
            yield ReasoningBlock(text="", dialect=DIALECT, opaque=opaque)

    def _bill(self, told: Mapping[str, Any]) -> Usage:
        prompt = _number(told.get("input_tokens"))
        output = _number(told.get("output_tokens"))
        estimated = not prompt
        if estimated:
            prompt = len(_PICTURE.sub(b"", self._sent)) // _BYTES_PER_TOKEN + 1
            output = output or self._received // _BYTES_PER_TOKEN + 1
        read = told.get("input_tokens_details") or {}
        written = told.get("output_tokens_details") or {}
        billed = BilledTokens(
            input=prompt,
            output=output,
            cached=_number(read.get("cached_tokens")),
            cache_write=_number(read.get("cache_write_tokens")),
            reasoning=_number(written.get("reasoning_tokens")),
        )
        return Usage(
            billed=billed, context=ContextTokens(prompt + output), calls=1, estimated=estimated
        )


def _text(value: Any) -> str:
    """Return a text member, empty when it is missing or null."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise TypeError(f"a text was expected, not {type(value).__name__}")
    return value


def _arguments(value: Any) -> str:
    """Return arguments as text; some servers send the object itself."""
    return json.dumps(value) if isinstance(value, Mapping) else _text(value)


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
