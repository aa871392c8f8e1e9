"""An answer put together from the bytes of its stream.

Source: OpenAI API reference, "Chat Completions: streaming", and what its followers make of it:
answers that come as one JSON object although a stream was asked, reasoning under four names,
content in blocks (Mistral), function_call in place of tool_calls, usage inside the choice
(Moonshot), errors inside the stream.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from math import isfinite
from typing import Any

from nanobot.messages import (
    BilledTokens,
    ContextTokens,
    FinishReason,
    ReasoningBlock,
    Usage,
)
from nanobot.provider import ModelEvent, ModelFinish, ModelReasoning, ModelText

from nanobot_provider_compat.calls import BadCalls, CallCollector
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.history import DIALECT, STRUCTURED
from nanobot_provider_compat.sse import MAX_EVENT, EventSplitter, EventTooLong
from nanobot_provider_compat.surrogates import ends_in_half, mend
from nanobot_provider_compat.think import ThinkFilter

_REASONS = {
    "tool_calls": FinishReason.TOOL_CALLS,
    "function_call": FinishReason.TOOL_CALLS,
    "length": FinishReason.LENGTH,
    "max_tokens": FinishReason.LENGTH,
    "max_output_tokens": FinishReason.LENGTH,
    "model_length": FinishReason.LENGTH,
    "model_context_window_exceeded": FinishReason.LENGTH,
    "content_filter": FinishReason.CONTENT_FILTER,
    "safety": FinishReason.CONTENT_FILTER,
    "sensitive": FinishReason.CONTENT_FILTER,
    "refusal": FinishReason.REFUSAL,
}
# Half the cost of json.loads, which looks for white space at both ends; there is none left here.
_raw_decode = json.JSONDecoder().raw_decode
_GROWING = frozenset({"data", "summary", "text", "thinking"})
_BROKEN = frozenset(
    {"abort", "error", "insufficient_system_resource", "malformed_function_call", "network_error"}
)


class Answer:
    """Turns the bytes of one answer into model events.

    Text that arrives together becomes one event, so a fast stream costs its readers little.

    Args:
        fail: Makes the errors.
        names: The names of the tools that were offered.
        now: Tells the time, for dates in error objects.
        prompt_tokens: Guesses the size of the request, for vendors that do not tell.
        reasoning_is_answer: True when an answer may come in the reasoning field alone.
    """

    def __init__(
        self,
        fail: Failures,
        names: Iterable[str] = (),
        *,
        now: Callable[[], datetime],
        prompt_tokens: Callable[[], int],
        reasoning_is_answer: bool = False,
    ) -> None:
        self._fail = fail
        self._now = now
        self._prompt_tokens = prompt_tokens
        self._reasoning_is_answer = reasoning_is_answer
        self._splitter = EventSplitter()
        self._think = ThinkFilter()
        self._calls = CallCollector(frozenset(names))
        self._plain: list[bytes] | None = None  # the body, when it is one JSON object
        self._plain_size = 0
        self._begun = False
        self._fresh: list[tuple[bool, list[str]]] = []  # (is reasoning, pieces) not yet given
        self._reasoning: list[str] = []
        self._details: dict[tuple[str, ...], tuple[dict[str, Any], dict[str, list[str]]]] = {}
        self._half = ""
        self._size = 0
        self._answered = False
        self._choices = 0
        self._reason = ""
        self._refused = False
        self._usage: dict[str, Any] = {}
        self._model = ""
        self.ended = False
        """True once the end mark came; what follows is of no interest."""

    @property
    def complete(self) -> bool:
        """Tell whether the model has finished, so that a broken connection loses nothing."""
        return bool(self._reason)

    def feed(self, block: bytes) -> list[ModelEvent]:
        """Take more bytes; return the events that they complete.

        Raises:
            ProviderError: The vendor reports an error, or the bytes are not of the dialect.
        """
        if not self._begun:
            start = block.removeprefix(b"\xef\xbb\xbf").lstrip()
            if not start:
                return []
            self._begun = True
            if start[:1] in b'{["<':
                self._plain = []
        if self._plain is not None:
            self._plain_size += len(block)
            if self._plain_size > MAX_EVENT:
                raise self._fail.malformed("it is too long")
            self._plain.append(block)
            return []
        try:
            payloads = self._splitter.feed(block)
        except EventTooLong:
            raise self._fail.malformed("an event of the stream is too long") from None
        for payload in payloads:
            self._payload(payload)
        return self._given()

    def finish(self) -> list[ModelEvent]:
        """Return the last events, which end with `ModelFinish`; the stream is over.

        Raises:
            ProviderError: The answer is not complete, or not of the dialect.
        """
        if self._plain is not None:
            self._whole(b"".join(self._plain))
        elif rest := self._splitter.flush():
            self._payload(rest, cut=True)
        if not self._begun:
            raise self._fail.malformed("it is empty")
        if not self._choices and not self._calls:
            if self.ended or self._usage or self._plain is not None:
                raise self._fail.malformed("it has no choices")
            raise self._fail.cut()
        if not self.ended and not self._reason:
            raise self._fail.cut()
        self._say(self._think.flush())
        if self._half:
            self._half = ""
            self._say([(False, "\ufffd")])
        if self._reasoning_is_answer and not self._answered and not self._calls:
            self._fresh.append((False, ["".join(self._reasoning)]))
        return [*self._given(), self._finish()]

    def _whole(self, body: bytes) -> None:
        try:
            data = json.loads(body)
        except (ValueError, RecursionError):
            kind = "an HTML page" if body.lstrip()[:1] == b"<" else "no JSON"
            raise self._fail.malformed(f"it is {kind}") from None
        if not isinstance(data, dict):
            raise self._fail.malformed("it is JSON, but no object")
        self._chunk(data)
        self.ended = True

    def _payload(self, payload: bytes, *, cut: bool = False) -> None:
        text = payload.decode("utf-8", "replace").strip()
        if not text or self.ended:
            return
        if text == "[DONE]":
            self.ended = True
            return
        try:
            chunk, end = _raw_decode(text)
        except (ValueError, RecursionError):
            end = -1
        if end != len(text):
            if cut:
                return
            raise self._fail.malformed("an event of the stream is no JSON")
        if not isinstance(chunk, dict):
            raise self._fail.malformed("an event of the stream is no object")
        self._chunk(chunk)

    def _chunk(self, chunk: dict[str, Any]) -> None:
        choices = chunk.get("choices")
        if chunk.get("error") or "base_resp" in chunk or not choices:
            self._check(chunk)
        if not self._model and isinstance(chunk.get("model"), str):
            self._model = chunk["model"]
        usage = chunk.get("usage")
        if usage is None and "x_groq" in chunk:
            usage = _dict(chunk["x_groq"]).get("usage")
        if isinstance(usage, dict):
            self._usage = usage
        if not choices:
            return
        if not isinstance(choices, list) or not isinstance(choices[0], dict):
            raise self._fail.malformed("choices is no list of objects")
        for choice in choices:
            if isinstance(choice, dict) and not choice.get("index"):
                self._choice(choice)

    def _check(self, chunk: dict[str, Any]) -> None:
        """Raise what a chunk reports; MiniMax does so in a status object that is always there."""
        status = _dict(chunk.get("base_resp")).get("status_code")
        if chunk.get("error") or status or chunk.get("object") == "error":
            raise self._fail.of_payload(chunk, self._now())

    def _choice(self, choice: dict[str, Any]) -> None:
        self._choices += 1
        if isinstance(choice.get("usage"), dict):
            self._usage = choice["usage"]
        delta = choice.get("delta")
        whole = not isinstance(delta, dict)
        if whole:
            delta = choice.get("message")
        if isinstance(delta, dict):
            self._delta(delta, whole=whole)
        elif isinstance(delta, str):
            raise self._fail.malformed("a choice is bare text")
        # Gemini adds words: "content_filter: PROHIBITED_CONTENT".
        reason = str(choice.get("finish_reason") or "").partition(":")[0].lower()
        if reason in _BROKEN:
            error = choice.get("error") or {"code": "server_error"}
            raise self._fail.of_payload({"error": error}, self._now())
        self._reason = reason or self._reason

    def _delta(self, delta: dict[str, Any], *, whole: bool) -> None:
        content = delta.get("content")
        if len(delta) == 1 and isinstance(content, str):  # as in nearly every chunk
            self._text(content)
            return
        thought = delta.get("reasoning_content") or delta.get("reasoning")
        for name in STRUCTURED:
            if isinstance(details := delta.get(name), list):
                shown = "".join(self._detail(name, detail) for detail in details)
                thought = thought or shown
        if isinstance(thought, str) and thought:
            self._say([(True, thought)])
        if isinstance(content, str):
            self._text(content)
        elif isinstance(content, list):
            self._blocks(content)
        elif isinstance(content, dict):
            self._blocks([content])
        refusal = delta.get("refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            self._say([(False, refusal)])
        try:
            if delta.get("tool_calls"):
                self._calls.add(delta["tool_calls"], whole=whole)
            elif isinstance(delta.get("function_call"), dict):
                self._calls.add([{"index": 0, "function": delta["function_call"]}])
        except BadCalls as error:
            raise self._fail.malformed(str(error)) from None

    def _text(self, text: str) -> None:
        if text and self._think.passes(text):
            self._say(((False, text),))
        elif text:
            self._say(self._think.feed(text))

    def _blocks(self, blocks: list[Any]) -> None:
        for block in blocks:
            if isinstance(block, str):
                self._say(self._think.feed(block))
            elif not isinstance(block, dict):
                continue
            elif block.get("type") == "thinking":
                self._say([(True, _block_text(block.get("thinking")))])
            elif isinstance(block.get("text"), str):
                self._say(self._think.feed(block["text"]))

    def _detail(self, field: str, detail: Any) -> str:
        """Keep a piece of structured reasoning; return what can be shown of it."""
        if not isinstance(detail, dict):
            return ""
        key = (field, *(str(detail.get(name)) for name in ("index", "type", "id")))
        kept, pieces = self._details.setdefault(key, ({}, {}))
        for name, value in detail.items():
            if name in _GROWING and isinstance(value, str):
                pieces.setdefault(name, []).append(value)
            elif value is not None and (value or name not in kept):
                kept[name] = value
        shown = detail.get("text") or detail.get("summary") or detail.get("thinking")
        return shown if isinstance(shown, str) else ""

    def _say(self, pieces: Iterable[tuple[bool, str]]) -> None:
        for is_reasoning, text in pieces:
            if self._half or not text.isascii():
                text = self._mended(text)
            if not text:
                continue
            self._size += len(text) if text.isascii() else len(text.encode())
            if is_reasoning:
                self._reasoning.append(text)
            else:
                self._answered = True
            if self._fresh and self._fresh[-1][0] is is_reasoning:
                self._fresh[-1][1].append(text)
            else:
                self._fresh.append((is_reasoning, [text]))

    def _mended(self, text: str) -> str:
        """Join a character whose halves came in two pieces."""
        text, self._half = self._half + text, ""
        if ends_in_half(text):
            text, self._half = text[:-1], text[-1]
        return mend(text)

    def _given(self) -> list[ModelEvent]:
        if not self._fresh:
            return []
        events: list[ModelEvent] = [
            ModelReasoning(text="".join(pieces))
            if is_reasoning
            else ModelText(text="".join(pieces))
            for is_reasoning, pieces in self._fresh
        ]
        self._fresh = []
        return events

    def _finish(self) -> ModelFinish:
        reason = _REASONS.get(self._reason, FinishReason.STOP)
        try:
            calls = self._calls.result(cut=reason is FinishReason.LENGTH)
        except BadCalls as error:
            raise self._fail.malformed(str(error)) from None
        if reason in (FinishReason.STOP, FinishReason.TOOL_CALLS):
            reason = FinishReason.TOOL_CALLS if calls else FinishReason.STOP
        if self._refused and not calls:
            reason = FinishReason.REFUSAL
        return ModelFinish(
            reason=reason,
            usage=self._counted(),
            tool_calls=calls,
            reasoning=self._kept(),
            model=self._model or self._fail.model,
        )

    def _kept(self) -> tuple[ReasoningBlock, ...]:
        text = "".join(self._reasoning)
        opaque: dict[str, object] = {}
        if self._details:
            opaque["provider"] = self._fail.provider
        for field in STRUCTURED:
            details = [
                {**kept, **{name: "".join(texts) for name, texts in pieces.items()}}
                for key, (kept, pieces) in self._details.items()
                if key[0] == field
            ]
            if details:
                opaque[field] = details
        if not text and not opaque:
            return ()
        return (ReasoningBlock(text=text, dialect=DIALECT, opaque=opaque),)

    def _counted(self) -> Usage:
        billed = read_usage(self._usage)
        estimated = not billed.input and not billed.output
        if estimated:
            billed = BilledTokens(input=self._prompt_tokens(), output=self._size // 4 + 1)
        context = ContextTokens(billed.input + billed.output)
        return Usage(billed=billed, context=context, calls=1, estimated=estimated)


def read_usage(usage: dict[str, Any]) -> BilledTokens:
    """Return the tokens of a usage object, whichever way the vendor spells it."""
    prompt = _dict(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    completion = _dict(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    sent = _first(usage, "prompt_tokens", "input_tokens")
    written = _first(usage, "completion_tokens", "output_tokens")
    # Some vendors count reasoning only in the total.
    written = max(written, _number(usage.get("total_tokens")) - sent)
    cached = _number(prompt.get("cached_tokens")) or _first(
        usage,
        *("cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"),
        "num_cached_tokens",
    )
    return BilledTokens(
        input=sent,
        output=written,
        cached=min(cached, sent),
        cache_write=_number(prompt.get("cache_write_tokens"))
        or _first(usage, "cache_creation_input_tokens"),
        reasoning=min(
            _number(completion.get("reasoning_tokens")) or _first(usage, "reasoning_tokens"),
            written,
        ),
    )


def _block_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    blocks = value if isinstance(value, list) else [value]
    texts = (block.get("text") for block in blocks if isinstance(block, dict))
    return "".join(text for text in texts if isinstance(text, str))


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _first(usage: dict[str, Any], *names: str) -> int:
    """Return the first number that is there."""
    return next((number for name in names if (number := _number(usage.get(name)))), 0)


def _number(value: Any) -> int:
    return max(0, int(value)) if isinstance(value, int | float) and isfinite(value) else 0
