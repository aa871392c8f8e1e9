"""A scripted server of Anthropic's Messages API.

The order and the fields of the events follow the vendor's page about streaming messages; refusals
of a request use the error bodies that the vendor sends. Requests that break the vendor's rules
about roles, tool results, thinking and cache breakpoints are refused here as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply, sse

USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 30,
    "cache_read_input_tokens": 70,
    "output_tokens": 1,
}
OUTPUT_TOKENS = 30

_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "content_filter": "refusal"}
_TOOL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_MAX_BREAKPOINTS = 4
_MIN_BUDGET = 1024

_FAILURES: Mapping[str, tuple[int, str, str]] = {
    "auth": (401, "authentication_error", "invalid x-api-key"),
    "quota": (
        400,
        "invalid_request_error",
        "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing "
        "to upgrade or purchase credits.",
    ),
    "rate_limit": (
        429,
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50,000 input tokens per "
        "minute.",
    ),
    "overload": (529, "overloaded_error", "Overloaded"),
    "context": (
        400,
        "invalid_request_error",
        "prompt is too long: 208310 tokens > 200000 maximum",
    ),
    "bad_request": (
        400,
        "invalid_request_error",
        "messages.1.content: 429 connection timeout quota: input should be a valid list",
    ),
    "filtered": (400, "invalid_request_error", "Output blocked by content filtering policy"),
}


class _Script:
    """Writes the events of one message."""

    def __init__(self, number: int) -> None:
        self.body: list[bytes | Act] = []
        self._number = number
        self._index = 0
        message: dict[str, Any] = {
            "id": f"msg_{number:08d}",
            "type": "message",
            "role": "assistant",
            "model": "test-model-2026-01-02",
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": USAGE,
        }
        self.event("message_start", message=message)

    def event(self, kind: str, **fields: Any) -> None:
        """Add one event."""
        self.body.append(sse({"type": kind, **fields}, event=kind))

    def block(self, block: dict[str, Any], deltas: Sequence[dict[str, Any] | Act] = ()) -> None:
        """Add one content block."""
        self.event("content_block_start", index=self._index, content_block=block)
        if self._index == 0:
            self.event("ping")
        for delta in deltas:
            if isinstance(delta, Act):
                self.body.append(delta)
            else:
                self.event("content_block_delta", index=self._index, delta=delta)
        self.event("content_block_stop", index=self._index)
        self._index += 1

    def text(self, pieces: Sequence[str | Act]) -> None:
        """Add a text block."""
        deltas = [p if isinstance(p, Act) else {"type": "text_delta", "text": p} for p in pieces]
        self.block({"type": "text", "text": ""}, deltas)

    def thinking(self, pieces: Sequence[str]) -> None:
        """Add a thinking block with its signature."""
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces]
        deltas.append({"type": "signature_delta", "signature": f"EqQB-{self._number}=="})
        self.block({"type": "thinking", "thinking": "", "signature": ""}, deltas)

    def call(self, name: str, arguments: str, split: int) -> None:
        """Add a tool_use block, its input in pieces of ``split`` characters."""
        call_id = f"toolu_{self._number:04d}{self._index:04d}"
        pieces = ["", *_pieces(arguments, split)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        self.block({"type": "tool_use", "id": call_id, "name": name, "input": {}}, deltas)

    def finish(self, stop_reason: str) -> Reply:
        """End the message and return the whole stream."""
        delta = {"stop_reason": stop_reason, "stop_sequence": None}
        self.event("message_delta", delta=delta, usage={"output_tokens": OUTPUT_TOKENS})
        self.event("message_stop")
        return Reply(body=self.body)


class MessagesServer(ScriptedServer):
    """Speaks the Messages API; see `nanobot_testing.servers.dialect.Dialect`."""

    def __init__(self) -> None:
        super().__init__()
        self._made = 0

    def _script(self) -> _Script:
        self._made += 1
        return _Script(self._made)

    def text(self, *pieces: str | Act, finish: str = "stop") -> Reply:
        """Stream an answer in pieces.

        Args:
            pieces: Text, and acts between the pieces.
            finish: ``stop``, ``length`` or ``content_filter``, or a stop reason of the vendor.
        """
        script = self._script()
        script.text(pieces)
        return script.finish(_STOP_REASONS.get(finish, finish))

    def tools(self, *calls: tuple[str, str], split: int = 0, text: str = "") -> Reply:
        """Stream tool calls given as (name, arguments text), arguments in pieces of ``split``."""
        script = self._script()
        if text:
            script.text([text])
        for name, arguments in calls:
            script.call(name, arguments, split)
        return script.finish("tool_use")

    def thinking(
        self,
        reasoning: Sequence[str],
        text: str,
        *,
        redacted: str = "",
        calls: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        """Stream a thinking block, perhaps a redacted one, then an answer, then calls."""
        script = self._script()
        script.thinking(reasoning)
        if redacted:
            script.block({"type": "redacted_thinking", "data": redacted})
        if text:
            script.text([text])
        for name, arguments in calls:
            script.call(name, arguments, 0)
        return script.finish("tool_use" if calls else "end_turn")

    def failed(self, *pieces: str, kind: str, message: str) -> Reply:
        """Stream some text, then fail with an ``error`` event."""
        script = self._script()
        script.text(pieces)
        script.event("error", error={"type": kind, "message": message})
        return Reply(body=script.body)

    def failure(self, case: str, *, retry_after: float | None = None) -> Reply:
        """Refuse: auth, quota, rate_limit, overload, context, bad_request, filtered, garbage."""
        if case == "garbage":
            page = (
                b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
            )
            return Reply(
                status=502, headers={"content-type": "text/html"}, body=[page], chunked=False
            )
        status, kind, message = _FAILURES[case]
        headers = {"request-id": "req_test"}
        if retry_after is not None:
            headers["retry-after"] = f"{retry_after:g}"
        return json_reply(_error(kind, message), status=status, **headers)

    def models(self, *names: str) -> Reply:
        """Return the list of models, one page."""
        data = [
            {
                "id": name,
                "type": "model",
                "display_name": name,
                "created_at": "2026-01-02T00:00:00Z",
                "lifecycle": "active",
                "max_input_tokens": 200_000,
                "max_tokens": 64_000,
            }
            for name in names
        ]
        ends = {"first_id": names[0], "last_id": names[-1]} if names else {}
        return json_reply({"data": data, "has_more": False, **ends})

    def tool_results(self, request: Request) -> dict[str, str]:
        """Return the tool results that a request carried back, text by call id."""
        return {
            block["tool_use_id"]: _text(block.get("content", ""))
            for message in request.json["messages"]
            if message["role"] == "user"
            for block in _blocks(message)
            if block["type"] == "tool_result"
        }

    def answer(self, request: Request) -> Reply:
        """Refuse what the vendor refuses, else answer from the script."""
        wrong = fault_in(request.json) if request.method == "POST" else ""
        if wrong:
            return json_reply(_error("invalid_request_error", wrong), status=400)
        return super().answer(request)


def _error(kind: str, message: str) -> dict[str, Any]:
    return {
        "type": "error",
        "error": {"type": kind, "message": message},
        "request_id": "req_test",
    }


def _pieces(text: str, split: int) -> Iterator[str]:
    size = split or max(len(text), 1)
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _blocks(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(block["text"] for block in content if block["type"] == "text")


def fault_in(body: dict[str, Any]) -> str:
    """Say why the vendor would refuse a request; empty when it would not."""
    return _message_fault(body["messages"]) or _parameter_fault(body)


def _message_fault(messages: list[dict[str, Any]]) -> str:
    asked: set[str] = set()
    seen: set[str] = set()
    for number, message in enumerate(messages):
        expected = "user" if number % 2 == 0 else "assistant"
        if message["role"] != expected:
            return f"messages.{number}: roles must alternate between user and assistant"
        blocks = _blocks(message)
        if not blocks:
            return f"messages.{number}: all messages must have non-empty content"
        if any(b["type"] == "text" and not b["text"].strip() for b in blocks):
            return f"messages.{number}: text content blocks must contain non-whitespace text"
        answered = [b["tool_use_id"] for b in blocks if b["type"] == "tool_result"]
        if sorted(answered) != sorted(asked):
            return f"messages.{number}: tool_use ids without tool_result blocks, or the reverse"
        calls = [b["id"] for b in blocks if b["type"] == "tool_use"]
        if any(not _TOOL_ID.fullmatch(call) for call in calls):
            return f"messages.{number}: tool_use.id: string should match pattern"
        if len(set(calls)) != len(calls) or seen & set(calls):
            return f"messages.{number}: tool_use ids must be unique"
        if any(b["type"] == "thinking" and not b["signature"] for b in blocks):
            return f"messages.{number}: thinking.signature: field required"
        asked = set(calls)
        seen |= asked
    if not messages or messages[-1]["role"] != "user":
        return "the conversation must end with a user message"
    return ""


def _parameter_fault(body: dict[str, Any]) -> str:
    thinking = body.get("thinking", {})
    if thinking.get("type") == "enabled":
        budget = thinking["budget_tokens"]
        if budget < _MIN_BUDGET or budget >= body["max_tokens"]:
            return "max_tokens must be greater than thinking.budget_tokens"
    if thinking.get("type") in ("enabled", "adaptive") and body.get("temperature", 1) != 1:
        return "temperature may only be set to 1 when thinking is enabled"
    marks = [*body.get("tools", []), *body.get("system", [])]
    marks += [block for message in body["messages"] for block in _blocks(message)]
    count = sum(1 for mark in marks if isinstance(mark, dict) and "cache_control" in mark)
    if count > _MAX_BREAKPOINTS:
        return f"A maximum of 4 blocks with cache_control may be provided. Found {count}."
    return ""
