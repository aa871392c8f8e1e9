"""A scripted server of OpenAI's Responses API.

The order and the fields of the events follow the API reference of ``POST /v1/responses`` with
``stream: true``; refusals of a request use the error bodies that the vendor sends. Requests that
the vendor would refuse because items do not belong together are refused here as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply, sse

USAGE = {
    "input_tokens": 120,
    "input_tokens_details": {"cached_tokens": 100},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 150,
}

_CALL_ID_MAX = 64
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")

_FAILURES: Mapping[str, tuple[int, str, str, str | None]] = {
    "auth": (
        401,
        "Incorrect API key provided: sk-test-*************6789. You can find your API key at "
        "https://platform.openai.com/account/api-keys.",
        "invalid_request_error",
        "invalid_api_key",
    ),
    "quota": (
        429,
        "You exceeded your current quota, please check your plan and billing details.",
        "insufficient_quota",
        "insufficient_quota",
    ),
    "rate_limit": (
        429,
        "Rate limit reached for test-model in organization org-test on tokens per min (TPM): "
        "Limit 30000, Used 29000, Requested 2000.",
        "tokens",
        "rate_limit_exceeded",
    ),
    "overload": (
        503,
        "The server is currently overloaded with other requests. Sorry about that!",
        "server_error",
        None,
    ),
    "context": (
        400,
        "Your input exceeds the context window of this model. Please adjust your input and try "
        "again.",
        "invalid_request_error",
        "context_length_exceeded",
    ),
    "bad_request": (
        400,
        "Invalid value for 'tools[0].parameters': 429 connection timeout quota.",
        "invalid_request_error",
        "invalid_value",
    ),
    "filtered": (
        400,
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.",
        "invalid_request_error",
        "invalid_prompt",
    ),
}


class _Script:
    """Writes the events of one response, numbered as the vendor numbers them."""

    def __init__(self, number: int) -> None:
        self.body: list[bytes | Act] = []
        self._number = number
        self._sequence = 0
        self._output: list[dict[str, Any]] = []
        for kind in ("response.created", "response.in_progress"):
            self.event(kind, response=self._response("in_progress"))

    def event(self, kind: str, **fields: Any) -> None:
        """Add one event."""
        data = {"type": kind, "sequence_number": self._sequence, **fields}
        self._sequence += 1
        self.body.append(sse(data, event=kind))

    def name(self, prefix: str) -> str:
        """Return an id for the next output item, unique over the server's life."""
        return f"{prefix}_{self._number:04d}{len(self._output):04d}"

    def message(self, pieces: Sequence[str | Act], *, kind: str = "output_text") -> None:
        """Add a message item whose only part is text or a refusal."""
        field = "text" if kind == "output_text" else "refusal"
        item = {"id": self.name("msg"), "type": "message", "role": "assistant"}
        place = {"item_id": item["id"], "output_index": len(self._output)}
        self._add({**item, "status": "in_progress", "content": []})
        part: dict[str, Any] = {"type": kind, field: ""}
        if kind == "output_text":
            part["annotations"] = []
        self.event("response.content_part.added", **place, content_index=0, part=part)
        for piece in pieces:
            if isinstance(piece, Act):
                self.body.append(piece)
            else:
                self.event(f"response.{kind}.delta", **place, content_index=0, delta=piece)
        whole = "".join(piece for piece in pieces if isinstance(piece, str))
        self.event(f"response.{kind}.done", **place, content_index=0, **{field: whole})
        part = {**part, field: whole}
        self.event("response.content_part.done", **place, content_index=0, part=part)
        self._done({**item, "status": "completed", "content": [part]})

    def reasoning(self, pieces: Sequence[str]) -> None:
        """Add a reasoning item with a summary of one part and its encrypted content."""
        item = {"id": self.name("rs"), "type": "reasoning"}
        place = {"item_id": item["id"], "output_index": len(self._output), "summary_index": 0}
        self._add({**item, "summary": []})
        empty = {"type": "summary_text", "text": ""}
        self.event("response.reasoning_summary_part.added", **place, part=empty)
        for piece in pieces:
            self.event("response.reasoning_summary_text.delta", **place, delta=piece)
        whole = {"type": "summary_text", "text": "".join(pieces)}
        self.event("response.reasoning_summary_text.done", **place, text=whole["text"])
        self.event("response.reasoning_summary_part.done", **place, part=whole)
        self._done({**item, "summary": [whole], "encrypted_content": f"gAAAA-{item['id']}"})

    def call(self, name: str, arguments: str, split: int) -> None:
        """Add a function call, its arguments in pieces of ``split`` characters."""
        item = {"id": self.name("fc"), "type": "function_call", "name": name}
        item["call_id"] = self.name("call")
        place = {"item_id": item["id"], "output_index": len(self._output)}
        self._add({**item, "status": "in_progress", "arguments": ""})
        kind = "response.function_call_arguments"
        for piece in _pieces(arguments, split):
            self.event(f"{kind}.delta", **place, delta=piece)
        self.event(f"{kind}.done", **place, arguments=arguments)
        self._done({**item, "status": "completed", "arguments": arguments})

    def finish(self, finish: str) -> Reply:
        """End the response and return the whole stream."""
        if finish == "stop":
            self.event("response.completed", response=self._response("completed"))
        else:
            reason = {"length": "max_output_tokens", "content_filter": "content_filter"}[finish]
            response = self._response("incomplete")
            response["incomplete_details"] = {"reason": reason}
            self.event("response.incomplete", response=response)
        return Reply(body=self.body)

    def fail(self, code: str, message: str) -> Reply:
        """End the response with a failure."""
        response = self._response("failed")
        response["error"] = {"code": code, "message": message}
        self.event("response.failed", response=response)
        return Reply(body=self.body)

    def _add(self, item: dict[str, Any]) -> None:
        self.event("response.output_item.added", output_index=len(self._output), item=item)

    def _done(self, item: dict[str, Any]) -> None:
        self.event("response.output_item.done", output_index=len(self._output), item=item)
        self._output.append(item)

    def _response(self, status: str) -> dict[str, Any]:
        ended = status in ("completed", "incomplete")
        return {
            "id": f"resp_{self._number:08d}",
            "object": "response",
            "created_at": 1780000000,
            "status": status,
            "error": None,
            "incomplete_details": None,
            "model": "test-model-2026-01-02",
            "output": list(self._output) if ended else [],
            "parallel_tool_calls": True,
            "store": False,
            "tool_choice": "auto",
            "tools": [],
            "usage": USAGE if ended else None,
        }


class ResponsesServer(ScriptedServer):
    """Speaks the Responses API; see `nanobot_testing.servers.dialect.Dialect`."""

    base_path = "/v1"

    def __init__(self) -> None:
        super().__init__()
        self._made = 0

    def _script(self) -> _Script:
        self._made += 1
        return _Script(self._made)

    def text(self, *pieces: str | Act, finish: str = "stop") -> Reply:
        """Stream an answer in pieces; finish is ``stop``, ``length`` or ``content_filter``."""
        script = self._script()
        script.message(pieces)
        return script.finish(finish)

    def refusal(self, *pieces: str) -> Reply:
        """Stream a refusal by the model itself."""
        script = self._script()
        script.message(pieces, kind="refusal")
        return script.finish("stop")

    def tools(self, *calls: tuple[str, str], split: int = 0, text: str = "") -> Reply:
        """Stream tool calls given as (name, arguments text), arguments in pieces of ``split``."""
        script = self._script()
        if text:
            script.message([text])
        for name, arguments in calls:
            script.call(name, arguments, split)
        return script.finish("stop")

    def thinking(
        self, reasoning: Sequence[str], text: str, *, calls: Sequence[tuple[str, str]] = ()
    ) -> Reply:
        """Stream a reasoning summary, then an answer, then calls."""
        script = self._script()
        script.reasoning(reasoning)
        if text:
            script.message([text])
        for name, arguments in calls:
            script.call(name, arguments, 0)
        return script.finish("stop")

    def failed(self, *pieces: str, code: str, message: str) -> Reply:
        """Stream some text, then fail with ``response.failed``."""
        script = self._script()
        if pieces:
            script.message(pieces)
        return script.fail(code, message)

    def failure(self, case: str, *, retry_after: float | None = None) -> Reply:
        """Refuse: auth, quota, rate_limit, overload, context, bad_request, filtered, garbage."""
        if case == "garbage":
            page = (
                b"<html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>"
            )
            return Reply(
                status=502, headers={"content-type": "text/html"}, body=[page], chunked=False
            )
        status, message, kind, code = _FAILURES[case]
        headers = {"x-request-id": "req_test"}
        if retry_after is not None:
            headers["retry-after"] = f"{retry_after:g}"
        error = {"message": message, "type": kind, "param": None, "code": code}
        return json_reply({"error": error}, status=status, **headers)

    def models(self, *names: str) -> Reply:
        """Return the list of models."""
        data = [
            {"id": name, "object": "model", "created": 1780000000, "owned_by": "openai"}
            for name in names
        ]
        return json_reply({"object": "list", "data": data})

    def tool_results(self, request: Request) -> dict[str, str]:
        """Return the tool results that a request carried back, text by call id."""
        return {
            item["call_id"]: _text(item["output"])
            for item in request.json["input"]
            if item.get("type") == "function_call_output"
        }

    def answer(self, request: Request) -> Reply:
        """Refuse what the vendor refuses, else answer from the script."""
        wrong = fault_in(request.json) if request.method == "POST" else ""
        if wrong:
            error = {"message": wrong, "type": "invalid_request_error", "param": "input"}
            return json_reply({"error": {**error, "code": None}}, status=400)
        return super().answer(request)


def _pieces(text: str, split: int) -> Iterator[str]:
    size = split or max(len(text), 1)
    for start in range(0, len(text), size):
        yield text[start : start + size]


def _text(output: Any) -> str:
    if isinstance(output, str):
        return output
    return "".join(part["text"] for part in output if part["type"] == "input_text")


def fault_in(body: dict[str, Any]) -> str:
    """Say why the vendor would refuse the input items; empty when it would not."""
    items: list[dict[str, Any]] = body.get("input") or []
    if not items:
        return "Missing required parameter: 'input'."
    calls: set[str] = set()
    outputs: set[str] = set()
    for number, item in enumerate(items):
        kind = item.get("type", "message")
        if kind == "function_call":
            if item["call_id"] in calls:
                return f"Duplicate function call with call_id {item['call_id']}."
            if not _NAME.fullmatch(item["name"]):
                return f"Invalid 'input[{number}].name': string does not match pattern."
            if not 0 < len(item["call_id"]) <= _CALL_ID_MAX:
                return f"Invalid 'input[{number}].call_id': string too long."
            calls.add(item["call_id"])
        elif kind == "function_call_output":
            if item["call_id"] not in calls or item["call_id"] in outputs:
                return f"No tool call found for function call output {item['call_id']}."
            outputs.add(item["call_id"])
        elif kind == "reasoning":
            follower = items[number + 1] if number + 1 < len(items) else {}
            own = follower.get("type") in ("reasoning", "function_call")
            if not own and follower.get("role") != "assistant":
                return f"Item {item['id']} of type 'reasoning' lacks its required following item."
    if calls - outputs:
        return f"No tool output found for function call {min(calls - outputs)}."
    return ""
