"""A scripted server of the OpenAI chat completions dialect.

Facts of the dialect follow the OpenAI API reference, "Chat Completions: streaming": an answer is a
series of ``chat.completion.chunk`` objects, then, if the request asked with
``stream_options.include_usage``, one chunk with empty ``choices`` that carries the usage, then the
line ``data: [DONE]``. A request that breaks the dialect's rules is refused with status 400, as the
vendors do.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply, sse

DONE = sse("[DONE]")
USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 4},
    "completion_tokens_details": {"reasoning_tokens": 2},
}

_FAILURES: Mapping[str, tuple[int, str, str, str]] = {
    # case: status, message, type, code
    "auth": (401, "Incorrect API key provided.", "invalid_request_error", "invalid_api_key"),
    "quota": (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    "rate_limit": (429, "Rate limit reached.", "requests", "rate_limit_exceeded"),
    "overload": (503, "The engine is currently overloaded.", "server_error", ""),
    "context": (
        400,
        "This model's maximum context length is 8192 tokens, your messages have 9000.",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    "bad_request": (
        400,
        "Invalid value for 'temperature': 500 connection 429 is not a number.",
        "invalid_request_error",
        "invalid_value",
    ),
    "filtered": (
        400,
        "The response was filtered by the content management policy.",
        "invalid_request_error",
        "content_filter",
    ),
}

_GARBAGE = (
    b"<!DOCTYPE html><html><head><title>Proxy</title></head><body><h1>It works!</h1></body></html>"
)


class ChatServer(ScriptedServer):
    """Speaks chat completions at ``/v1``; implements `nanobot_testing.servers.dialect.Dialect`.

    ``GET /v1/models`` is always answered, with `models`, without using up a queued reply.
    """

    base_path = "/v1"

    def __init__(self, *, models: Sequence[str] = ("test-model",)) -> None:
        super().__init__()
        self.models = tuple(models)

    def text(self, *pieces: str | Act, finish: str = "stop") -> Reply:
        """Stream an answer in pieces; finish is ``stop``, ``length`` or ``content_filter``."""
        deltas = [{"content": piece} if isinstance(piece, str) else piece for piece in pieces]
        return self.deltas({"role": "assistant", "content": ""}, *deltas, finish=finish)

    def tools(self, *calls: tuple[str, str], split: int = 0, text: str = "") -> Reply:
        """Stream tool calls, arguments in pieces of ``split`` characters that interleave."""
        deltas: list[dict[str, object]] = [{"role": "assistant", "content": text or None}]
        pieces: list[list[dict[str, object]]] = []
        for index, (name, arguments) in enumerate(calls):
            step = split or len(arguments) or 1
            function = {"name": name, "arguments": ""}
            call = {"index": index, "id": f"call_{index}", "type": "function", "function": function}
            deltas.append({"tool_calls": [call]})
            pieces.append(
                [
                    {"index": index, "function": {"arguments": arguments[start : start + step]}}
                    for start in range(0, len(arguments), step)
                ]
            )
        for number in range(max((len(parts) for parts in pieces), default=0)):
            deltas += [{"tool_calls": [parts[number]]} for parts in pieces if number < len(parts)]
        return self.deltas(*deltas, finish="tool_calls")

    def thinking(self, reasoning: Sequence[str], text: str) -> Reply:
        """Stream ``reasoning_content``, then an answer."""
        deltas = [{"reasoning_content": piece} for piece in reasoning]
        return self.deltas({"role": "assistant"}, *deltas, {"content": text}, finish="stop")

    def failure(self, case: str, *, retry_after: float | None = None) -> Reply:
        """Refuse: auth, quota, rate_limit, overload, context, bad_request, filtered, garbage."""
        if case == "garbage":
            return Reply(headers={"content-type": "text/html"}, body=[_GARBAGE], chunked=False)
        status, message, kind, code = _FAILURES[case]
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        error = {"message": message, "type": kind, "param": None, "code": code or None}
        return json_reply({"error": error}, status=status, **headers)

    def tool_results(self, request: Request) -> dict[str, str]:
        """Return the tool results that a request carried back, text by call id."""
        return {
            message["tool_call_id"]: _plain(message["content"])
            for message in request.json["messages"]
            if message["role"] == "tool"
        }

    def deltas(
        self, *deltas: Mapping[str, object] | Act, finish: str = "stop", usage: object = None
    ) -> Reply:
        """Stream any deltas, then the finish reason, the usage and the end mark.

        Args:
            deltas: Values of ``choices[0].delta``, and acts between them.
            finish: The finish reason, empty for a stream that names none.
            usage: The usage object in place of `USAGE`.
        """
        body = [d if isinstance(d, Act) else self.chunk(d) for d in deltas]
        if finish:
            body.append(self.chunk({}, finish=finish))
        body += [self.usage_chunk(usage or USAGE), DONE]
        return Reply(body=body)

    def chunk(self, delta: Mapping[str, object], *, finish: str | None = None) -> bytes:
        """Return one chunk of an answer."""
        choice = {"index": 0, "delta": dict(delta), "logprobs": None, "finish_reason": finish}
        return _chunk(choices=[choice], usage=None)

    def usage_chunk(self, usage: object) -> bytes:
        """Return the chunk that tells the usage."""
        return _chunk(choices=[], usage=usage)

    def answer(self, request: Request) -> Reply:
        """Choose the answer to a request; refuse one that breaks the dialect."""
        path = request.path.partition("?")[0].rstrip("/")
        if request.method == "GET" and path == f"{self.base_path}/models":
            data = [{"id": name, "object": "model", "owned_by": "test"} for name in self.models]
            return json_reply({"object": "list", "data": data})
        reply = super().answer(request)
        if reply.status != 200 or not path.endswith("/chat/completions"):
            return reply
        sent = request.json
        if fault := _fault(sent):
            error = {"message": fault, "type": "invalid_request_error", "code": None}
            return json_reply({"error": error}, status=400)
        if not (sent.get("stream_options") or {}).get("include_usage"):
            return replace(reply, body=[p for p in reply.body if not _tells_usage(p)])
        return reply


def _chunk(**fields: object) -> bytes:
    head = {"id": "chatcmpl-test", "object": "chat.completion.chunk", "created": 1}
    return sse({**head, "model": "test-model", **fields})


def _tells_usage(piece: bytes | Act) -> bool:
    return isinstance(piece, bytes) and b'"choices": [], "usage": {' in piece


def _plain(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(block.get("text", "") for block in content)


def _fault(sent: Any) -> str:
    """Say which rule of the dialect a request breaks; empty when it breaks none."""
    if not isinstance(sent, dict) or not sent.get("model"):
        return "you must provide a model parameter"
    messages = sent.get("messages")
    if not isinstance(messages, list) or not messages:
        return "messages must be a non-empty array"
    for tool in sent.get("tools") or ():
        if tool.get("type") == "function" and not re.fullmatch(
            r"[a-zA-Z0-9_-]{1,64}", tool.get("function", {}).get("name", "")
        ):
            return f"invalid tool: {json.dumps(tool)[:200]}"
    awaited: set[str] = set()
    for number, message in enumerate(messages):
        where = f"messages[{number}]"
        role = message.get("role")
        if role == "tool":
            if message.get("tool_call_id") not in awaited:
                return f"{where}: role 'tool' must answer a preceding 'tool_calls' once"
            awaited.discard(message["tool_call_id"])
        elif awaited:
            return f"{where}: tool_calls without a tool message: {sorted(awaited)}"
        elif role not in ("system", "developer", "user", "assistant"):
            return f"{where}: unknown role {role!r}"
        if fault := _content_fault(message):
            return f"{where}: {fault}"
        for call in message.get("tool_calls") or ():
            if not call.get("id") or call["id"] in awaited:
                return f"{where}: tool call ids must be unique and not empty"
            if not isinstance(call.get("function", {}).get("arguments"), str):
                return f"{where}: tool call arguments must be a string"
            awaited.add(call["id"])
    return f"tool_calls without a tool message: {sorted(awaited)}" if awaited else ""


def _content_fault(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if content is None and message.get("role") == "assistant" and message.get("tool_calls"):
        return ""
    if isinstance(content, str):
        return ""
    if not isinstance(content, list) or not content:
        return "content must be a string or a non-empty array"
    for block in content:
        if block.get("type") not in ("text", "image_url"):
            return f"unknown content type {block.get('type')!r}"
        if block["type"] == "text" and not block.get("text"):
            return "text content blocks must not be empty"
    return ""
