"""A server of Amazon Bedrock's Converse API, which answers with event streams.

Sources: Amazon Bedrock API reference, "ConverseStream", and the AWS event stream encoding: a
prelude with lengths and its checksum, headers, the payload, a checksum of all.
"""

from __future__ import annotations

import binascii
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply

USAGE = {
    "inputTokens": 20,
    "outputTokens": 30,
    "totalTokens": 150,
    "cacheReadInputTokens": 90,
    "cacheWriteInputTokens": 10,
}

_STRING = 7
_FAILURES: Mapping[str, tuple[int, str, str]] = {
    "auth": (403, "UnrecognizedClientException", "The security token is invalid."),
    "quota": (400, "ServiceQuotaExceededException", "You have exceeded your daily quota."),
    "rate_limit": (429, "ThrottlingException", "Too many requests, please wait."),
    "overload": (503, "ServiceUnavailableException", "Bedrock is unable to process your request."),
    "context": (400, "ValidationException", "Input is too long for requested model."),
    "bad_request": (
        400,
        "ValidationException",
        "The provided model identifier is invalid: 429 connection timeout quota.",
    ),
}


def frame(payload: object, **headers: str) -> bytes:
    """Return one message of an event stream; underscores in names become hyphens."""
    head = b""
    for name, value in headers.items():
        key = f":{name.replace('_', '-')}".encode()
        text = value.encode()
        head += struct.pack("!B", len(key)) + key + struct.pack("!BH", _STRING, len(text)) + text
    data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    prelude = struct.pack("!II", 16 + len(head) + len(data), len(head))
    start = prelude + struct.pack("!I", binascii.crc32(prelude)) + head + data
    return start + struct.pack("!I", binascii.crc32(start))


def event(kind: str, payload: object) -> bytes:
    """Return an event of the stream."""
    return frame(payload, message_type="event", event_type=kind, content_type="application/json")


def exception(kind: str, message: str) -> bytes:
    """Return an exception that ends a stream."""
    return frame({"message": message}, message_type="exception", exception_type=kind)


class ConverseServer(ScriptedServer):
    """Speaks Converse; see `nanobot_testing.servers.dialect.Dialect`."""

    def __init__(self) -> None:
        super().__init__()
        self._made = 0

    def text(self, *pieces: str | Act, finish: str = "stop") -> Reply:
        """Stream an answer in pieces; finish is ``stop``, ``length`` or ``content_filter``."""
        reason = {"stop": "end_turn", "length": "max_tokens", "content_filter": "content_filtered"}
        return self.stream([_texts(0, pieces)], reason[finish])

    def tools(self, *calls: tuple[str, str], split: int = 0, text: str = "") -> Reply:
        """Stream tool calls given as (name, arguments text), arguments in pieces of ``split``."""
        blocks = [_texts(0, [text])] if text else []
        for number, (name, arguments) in enumerate(calls, len(blocks)):
            blocks.append(self._call(number, name, arguments, split))
        return self.stream(blocks, "tool_use")

    def thinking(self, reasoning: Sequence[str], text: str) -> Reply:
        """Stream signed reasoning, then an answer."""
        deltas: list[dict[str, str]] = [{"text": piece} for piece in reasoning]
        deltas.append({"signature": "c2lnbmVk"})
        thought: list[bytes | Act] = [
            *(_delta(0, {"reasoningContent": delta}) for delta in deltas),
            event("contentBlockStop", {"contentBlockIndex": 0}),
        ]
        return self.stream([thought, _texts(1, [text])], "end_turn")

    def stream(
        self,
        blocks: Sequence[Sequence[bytes | Act]],
        reason: str,
        usage: Mapping[str, int] | None = USAGE,
    ) -> Reply:
        """Stream blocks, the reason to stop, and usage unless it is None."""
        pieces = [event("messageStart", {"role": "assistant"}), *(p for b in blocks for p in b)]
        pieces.append(event("messageStop", {"stopReason": reason}))
        if usage is not None:
            pieces.append(event("metadata", {"usage": usage, "metrics": {"latencyMs": 1}}))
        return Reply(headers={"content-type": "application/vnd.amazon.eventstream"}, body=pieces)

    def failure(self, case: str, *, retry_after: float | None = None) -> Reply:
        """Refuse: auth, quota, rate_limit, overload, context, bad_request, garbage."""
        if case == "garbage":
            page = b"<html><head><title>502</title></head><body>gateway</body></html>"
            return Reply(
                status=502, headers={"content-type": "text/html"}, body=[page], chunked=False
            )
        status, name, message = _FAILURES[case]
        headers = {"x-amzn-errortype": f"{name}:http://internal.amazon.com/coral/"}
        if retry_after is not None:
            headers["retry-after"] = f"{retry_after:g}"
        return json_reply({"message": message}, status=status, **headers)

    def tool_results(self, request: Request) -> dict[str, str]:
        """Return the tool results that a request carried back, text by call id."""
        return {
            block["toolResult"]["toolUseId"]: "".join(
                part.get("text", "") for part in block["toolResult"]["content"]
            )
            for message in request.json["messages"]
            for block in message["content"]
            if "toolResult" in block
        }

    def answer(self, request: Request) -> Reply:
        """Refuse what the vendor refuses, else answer from the script."""
        wrong = fault_in(request.json) if request.method == "POST" else ""
        if wrong:
            kind = {"x-amzn-errortype": "ValidationException"}
            return json_reply({"message": wrong}, status=400, **kind)
        return super().answer(request)

    def _call(self, number: int, name: str, arguments: str, split: int) -> list[bytes | Act]:
        self._made += 1
        start = {"toolUse": {"toolUseId": f"tooluse_{self._made:04d}", "name": name}}
        size = split or max(len(arguments), 1)
        pieces = (arguments[at : at + size] for at in range(0, len(arguments), size))
        return [
            event("contentBlockStart", {"contentBlockIndex": number, "start": start}),
            *(_delta(number, {"toolUse": {"input": piece}}) for piece in pieces),
            event("contentBlockStop", {"contentBlockIndex": number}),
        ]


def _texts(number: int, pieces: Sequence[str | Act]) -> list[bytes | Act]:
    shown = [p if isinstance(p, Act) else _delta(number, {"text": p}) for p in pieces]
    return [*shown, event("contentBlockStop", {"contentBlockIndex": number})]


def _delta(number: int, delta: Mapping[str, Any]) -> bytes:
    return event("contentBlockDelta", {"contentBlockIndex": number, "delta": delta})


def fault_in(body: Mapping[str, Any]) -> str:
    """Say why the vendor would refuse a request; empty when it would not."""
    messages = body["messages"]
    asked: set[str] = set()
    calls = 0
    for number, message in enumerate(messages):
        if message["role"] != ("user" if number % 2 == 0 else "assistant"):
            return "A conversation must alternate between user and assistant roles."
        if not message["content"]:
            return f"The content field at messages.{number} is empty."
        if any("text" in block and not block["text"].strip() for block in message["content"]):
            return f"The text field at messages.{number} is blank."
        answered = [b["toolResult"]["toolUseId"] for b in _kind(message, "toolResult")]
        if sorted(answered) != sorted(asked):
            return "toolResult blocks do not match the toolUse blocks of the previous turn."
        ids = [b["toolUse"]["toolUseId"] for b in _kind(message, "toolUse")]
        if any(not isinstance(b["toolUse"]["input"], dict) for b in _kind(message, "toolUse")):
            return "The value at toolUse.input is no object."
        if len(set(ids)) != len(ids):
            return "toolUse ids must be unique."
        asked = set(ids)
        calls += len(ids)
    if messages[-1]["role"] != "user":
        return "The conversation must end with a user message."
    if calls and "toolConfig" not in body:
        return "The toolConfig field must be defined when using toolUse content blocks."
    points = json.dumps(body).count('"cachePoint"')
    return f"At most 4 cache points are allowed, found {points}." if points > 4 else ""


def _kind(message: Mapping[str, Any], name: str) -> Iterator[Any]:
    return (block for block in message["content"] if name in block)
