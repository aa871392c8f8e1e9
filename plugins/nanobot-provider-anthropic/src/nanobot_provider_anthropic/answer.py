"""Puts the events of a streamed message together."""

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

from nanobot_provider_anthropic.convert import DIALECT
from nanobot_provider_anthropic.faults import Faults

_BYTES_PER_TOKEN = 4
_PICTURE = re.compile(rb'"data":"[A-Za-z0-9+/=]*"')
_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "pause_turn": FinishReason.LENGTH,  # the vendor asks to be called again for the rest
    "refusal": FinishReason.REFUSAL,
}


_CUT = frozenset({"max_tokens", "model_context_window_exceeded"})


@dataclass(kw_only=True, slots=True)
class _Block:
    """One content block as it grows."""

    kind: str = ""
    id: str = ""
    name: str = ""
    data: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)
    json: str = ""
    thinking: str = ""
    signature: str = ""


class Answer:
    """One message as it grows.

    Args:
        model: The model that was asked for.
        sent: The request, for an estimate when usage is missing.
        faults: Makes the errors.
    """

    def __init__(self, *, model: str, sent: bytes, faults: Faults) -> None:
        self._faults = faults
        self._asked = model
        self._model = model
        self._sent = sent
        self._received = 0
        self._blocks: dict[int, _Block] = {}
        self._usage: dict[str, int] = {}
        self._thought_tokens = 0
        self._started = False
        self._stopped = False
        self._stop_reason = ""

    def feed(self, event: Mapping[str, Any]) -> list[ModelEvent]:
        """Take one event of the stream, and return what it shows.

        Kinds that are not known are passed over.

        Raises:
            ProviderError: The event reports a failure, or has not the shape of its kind.
        """
        try:
            return list(self._take(event))
        except (AttributeError, LookupError, TypeError, ValueError):
            raise self._faults.malformed(self._asked) from None

    def finish(self) -> ModelFinish:
        """Return the end of the answer.

        Raises:
            MalformedAnswer: The stream was none of the Messages API.
            TransportError: The stream ended before its end.
        """
        if not self._started and not self._blocks:
            raise self._faults.malformed(self._asked)
        if not self._stopped and not self._stop_reason:
            raise self._faults.broken(self._asked)
        calls = self._calls()
        default = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        return ModelFinish(
            reason=_REASONS.get(self._stop_reason, default),
            tool_calls=calls,
            reasoning=self._reasoning(),
            usage=self._bill(),
            model=self._model,
        )

    def _take(self, event: Mapping[str, Any]) -> Iterator[ModelEvent]:
        match event.get("type"):
            case "message_start":
                message = event.get("message") or {}
                self._started = True
                self._model = _text(message.get("model")) or self._model
                self._count(message.get("usage"))
            case "content_block_start":
                yield from self._begin(int(event["index"]), event.get("content_block") or {})
            case "content_block_delta":
                yield from self._delta(int(event["index"]), event.get("delta") or {})
            case "message_delta":
                self._stop_reason = _text((event.get("delta") or {}).get("stop_reason"))
                self._count(event.get("usage"))
            case "message_stop":
                self._stopped = True
            case "error":
                raise self._faults.reported(event, model=self._asked)

    def _begin(self, index: int, start: Mapping[str, Any]) -> Iterator[ModelEvent]:
        block = _Block(
            kind=_text(start.get("type")),
            id=_text(start.get("id")),
            name=_text(start.get("name")),
            data=_text(start.get("data")),
            signature=_text(start.get("signature")),
            input=start.get("input") or {},
        )
        self._blocks[index] = block
        yield from self._shown(block, _text(start.get("text")), _text(start.get("thinking")))

    def _delta(self, index: int, delta: Mapping[str, Any]) -> Iterator[ModelEvent]:
        block = self._blocks.setdefault(index, _Block())
        match delta.get("type"):
            case "text_delta":
                yield from self._shown(block, _text(delta.get("text")), "")
            case "thinking_delta":
                yield from self._shown(block, "", _text(delta.get("thinking")))
            case "signature_delta":
                block.signature += _text(delta.get("signature"))
            case "input_json_delta":
                block.json += _text(delta.get("partial_json"))

    def _shown(self, block: _Block, text: str, thinking: str) -> Iterator[ModelEvent]:
        self._received += len(text) + len(thinking)
        if text:
            yield ModelText(text=text)
        if thinking:
            block.thinking += thinking
            yield ModelReasoning(text=thinking)

    def _ordered(self, *kinds: str) -> Iterator[_Block]:
        return (block for _, block in sorted(self._blocks.items()) if block.kind in kinds)

    def _calls(self) -> tuple[ToolCall, ...]:
        calls: dict[str, ToolCall] = {}
        for block in self._ordered("tool_use"):
            arguments = block.json or json.dumps(block.input)
            if self._stop_reason in _CUT and not _is_json(arguments):
                continue
            call_id = block.id
            if not call_id or call_id in calls:
                call_id = f"toolu_{uuid.uuid4().hex}"
            calls[call_id] = ToolCall(id=call_id, name=block.name, arguments=arguments)
        return tuple(calls.values())

    def _reasoning(self) -> tuple[ReasoningBlock, ...]:
        kept = []
        for block in self._ordered("thinking", "redacted_thinking"):
            opaque = {"model": self._asked}
            if block.kind == "thinking":
                opaque["signature"] = block.signature
            else:
                opaque["data"] = block.data
            kept.append(ReasoningBlock(text=block.thinking, dialect=DIALECT, opaque=opaque))
        return tuple(kept)

    def _count(self, usage: Any) -> None:
        """Remember what was told; the numbers are running totals, the last one counts."""
        if not isinstance(usage, Mapping):
            return
        for name, value in usage.items():
            if isinstance(value, int) and value >= 0:
                self._usage[name] = value
        details = usage.get("output_tokens_details")
        if isinstance(details, Mapping):
            self._thought_tokens = int(details.get("thinking_tokens") or 0)

    def _bill(self) -> Usage:
        told = self._usage
        cached = told.get("cache_read_input_tokens", 0)
        written = told.get("cache_creation_input_tokens", 0)
        prompt = told.get("input_tokens", 0) + cached + written
        output = told.get("output_tokens", 0)
        estimated = not prompt
        if estimated:
            prompt = len(_PICTURE.sub(b"", self._sent)) // _BYTES_PER_TOKEN + 1
            output = output or self._received // _BYTES_PER_TOKEN + 1
        billed = BilledTokens(
            input=prompt,
            output=output,
            cached=cached,
            cache_write=written,
            reasoning=self._thought_tokens,
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


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
