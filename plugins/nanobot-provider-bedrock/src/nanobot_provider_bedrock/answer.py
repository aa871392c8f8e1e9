"""Puts the events of a Converse stream together."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.eventstream import (  # type: ignore[import-untyped]
    EventStreamBuffer,
    EventStreamMessage,
    ParserError,
)
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

from nanobot_provider_bedrock.faults import Faults

_BYTES_PER_TOKEN = 4
_MOST_CALLS = 128
_PICTURE = re.compile(rb'"bytes":"[^"]*"')
_REASONS: Mapping[str, FinishReason] = {
    "end_turn": FinishReason.STOP,
    "stop_sequence": FinishReason.STOP,
    "tool_use": FinishReason.TOOL_CALLS,
    "max_tokens": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "guardrail_intervened": FinishReason.CONTENT_FILTER,
    "content_filtered": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
}
_BAD = frozenset({"malformed_model_output", "malformed_tool_use"})


@dataclass(slots=True)
class _Block:
    """One content block as it grows: text, a call, or reasoning."""

    text: str = ""
    tool: str = ""
    tool_id: str = ""
    arguments: str = ""
    reasoning: str = ""
    signature: str = ""
    redacted: str = ""


class Answer:
    """One answer as it grows.

    Args:
        faults: Makes the errors of this request.
        sent: The request, for an estimate when usage is missing.
    """

    def __init__(self, faults: Faults, *, sent: bytes) -> None:
        self._faults = faults
        self._sent = sent
        self._buffer = EventStreamBuffer()
        self._blocks: dict[int, _Block] = {}
        self._started = False
        self._reason = ""
        self._usage: Mapping[str, Any] = {}

    def feed(self, data: bytes) -> Iterator[ModelEvent]:
        """Take bytes of the stream, cut anywhere, and yield what they show.

        Raises:
            ProviderError: The stream reports a failure, or is none of Converse.
        """
        try:
            self._buffer.add_data(data)
            for message in self._buffer:
                yield from self._take(message)
        except (ParserError, AttributeError, LookupError, TypeError, ValueError):
            raise self._faults.malformed() from None

    def finish(self) -> ModelFinish:
        """Return the end of the answer.

        Raises:
            MalformedAnswer: The stream was none, or the model's output was broken.
            TransportError: The stream ended before its end.
        """
        if not self._reason:
            raise self._faults.broken() if self._started else self._faults.malformed()
        calls = tuple(self._calls())
        if self._reason in _BAD or len(calls) > _MOST_CALLS:
            raise self._faults.malformed()
        reason = _REASONS.get(self._reason, FinishReason.STOP)
        if calls and reason is FinishReason.STOP:
            reason = FinishReason.TOOL_CALLS
        return ModelFinish(
            reason=reason,
            tool_calls=calls,
            reasoning=tuple(self._reasoning()),
            usage=self._bill(),
            model=self._faults.model,
        )

    def _take(self, message: EventStreamMessage) -> Iterator[ModelEvent]:
        headers = message.headers
        event = json.loads(message.payload)
        if headers.get(":message-type") != "event":
            kind = headers.get(":exception-type") or headers.get(":error-code") or ""
            raise self._faults.reported(str(kind), event)
        self._started = True
        match headers[":event-type"]:
            case "contentBlockStart":
                if called := event.get("start", {}).get("toolUse"):
                    block = self._block(event)
                    block.tool, block.tool_id = str(called["name"]), str(called["toolUseId"])
            case "contentBlockDelta":
                yield from self._delta(self._block(event), event["delta"])
            case "messageStop":
                self._reason = str(event["stopReason"])
            case "metadata":
                self._usage = dict(event.get("usage") or {})

    def _delta(self, block: _Block, delta: Mapping[str, Any]) -> Iterator[ModelEvent]:
        if text := delta.get("text"):
            block.text += text
            yield ModelText(text=text)
        if called := delta.get("toolUse"):
            block.arguments += called.get("input", "")
        if thought := delta.get("reasoningContent"):
            block.signature += thought.get("signature", "")
            block.redacted += thought.get("redactedContent", "")
            if text := thought.get("text"):
                block.reasoning += text
                yield ModelReasoning(text=text)

    def _block(self, event: Mapping[str, Any]) -> _Block:
        return self._blocks.setdefault(int(event["contentBlockIndex"]), _Block())

    def _in_order(self) -> list[_Block]:
        return [block for _, block in sorted(self._blocks.items())]

    def _calls(self) -> Iterator[ToolCall]:
        """Yield the calls with unique ids; one that was cut off is left out."""
        used: set[str] = set()
        cut = _REASONS.get(self._reason) is FinishReason.LENGTH
        for block in self._in_order():
            if not block.tool:
                continue
            arguments = block.arguments or "{}"
            if cut and not _is_json(arguments):
                continue
            call_id = block.tool_id
            if not call_id or call_id in used:
                call_id = f"tooluse_{uuid.uuid4().hex}"
            used.add(call_id)
            yield ToolCall(id=call_id, name=block.tool, arguments=arguments)

    def _reasoning(self) -> Iterator[ReasoningBlock]:
        for block in self._in_order():
            opaque: dict[str, object] = {"model": self._faults.model}
            if block.signature:
                opaque["signature"] = block.signature
            if block.redacted:
                opaque["data"] = block.redacted
            if block.reasoning or len(opaque) > 1:
                yield ReasoningBlock(text=block.reasoning, dialect=DIALECT, opaque=opaque)

    def _bill(self) -> Usage:
        told = self._usage
        read = _number(told.get("cacheReadInputTokens"))
        written = _number(told.get("cacheWriteInputTokens"))
        prompt = _number(told.get("inputTokens")) + read + written  # it leaves out the cached ones
        output = _number(told.get("outputTokens"))
        estimated = not prompt
        if estimated:
            prompt = len(_PICTURE.sub(b"", self._sent)) // _BYTES_PER_TOKEN + 1
            shown = sum(len(b.text) + len(b.reasoning) + len(b.arguments) for b in self._in_order())
            output = output or shown // _BYTES_PER_TOKEN + 1
        billed = BilledTokens(input=prompt, output=output, cached=read, cache_write=written)
        return Usage(
            billed=billed, context=ContextTokens(prompt + output), calls=1, estimated=estimated
        )


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
