"""Every fault of the corpus, played by the scripted chat server.

A provider does not retry: for each fault it must end cleanly, with a complete answer or with one
typed error that carries a remedy, and the next request must work.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from nanobot import errors
from nanobot.messages import FinishReason
from nanobot.provider import ModelEvent, ModelFinish, ModelRequest, ModelText, Provider

from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.wire import Act, Reply, json_reply

TEXT = "wörld 🐈"
STATUSES = {429: errors.RateLimitError, 503: errors.OverloadError}


def corpus(name: str) -> dict[str, Any]:
    """Return the inputs of a corpus of the kit, by id."""
    text = files("nanobot_testing").joinpath("corpora", f"{name}.json").read_text("utf-8")
    return {item["id"]: item["input"] for item in json.loads(text)["items"]}


FAULTS: Mapping[str, dict[str, Any]] = corpus("provider_faults")
ARGUMENTS: Mapping[str, str] = corpus("tool_args")


def section_of(fault: Mapping[str, Any]) -> dict[str, object]:
    """Return what the provider's section must say for a fault to happen."""
    return {"apiBase": "http://no-such-host.invalid/v1"} if "dns" in fault else {}


def script(
    server: ChatServer, fault: Mapping[str, Any]
) -> tuple[Reply, type[errors.ProviderError] | None]:
    """Return what the server does, and the error that must come of it."""
    if status := fault.get("status"):
        if status == 200:
            body = fault["body"] if "body" in fault else json.dumps(fault["json"])
            return Reply(body=[body.encode()], chunked=False), errors.MalformedAnswer
        wait = {"retry-after": str(fault["retry_after"])} if "retry_after" in fault else {}
        return json_reply({"error": {"message": "no"}}, status=status, **wait), STATUSES[status]
    if "stream" in fault and fault.get("then") == "abort":
        return server.text(*fault["stream"], Act.CLOSE), errors.TransportError
    if "stream" in fault:
        return Reply(body=[line.encode() for line in fault["stream"]]), errors.MalformedAnswer
    if fault.get("stream_bytes") == "split_utf8":
        whole = b"".join(piece for piece in server.text(TEXT).body if isinstance(piece, bytes))
        return Reply(body=[whole[i : i + 1] for i in range(len(whole))]), None
    if "tool_calls" in fault:
        kind = fault["tool_calls"]
        deltas = [{"tool_calls": [piece]} for piece in _call_pieces(kind)]
        too_many = errors.MalformedAnswer if isinstance(kind, int) else None
        return server.deltas(*deltas, finish="tool_calls"), too_many
    if "finish_reason" in fault:
        return server.text(TEXT, finish=fault["finish_reason"]), None
    if fault.get("connect") == "reset_after_headers":
        return Reply(body=[Act.RESET]), errors.TransportError
    if fault.get("context_overflow"):
        return server.failure("context"), errors.ContextOverflow
    if "dns" in fault:
        return server.text("never asked"), errors.TransportError
    assert fault == {"ok": True}, f"the corpus has a fault that no script plays: {fault}"
    return server.text(TEXT), None


async def play(
    provider: Provider, server: ChatServer, fault: Mapping[str, Any], request: ModelRequest
) -> None:
    """Play a fault to an open provider and hold what came of it against the promise."""
    reply, expected = script(server, fault)
    server.reply(reply)
    seen: list[ModelEvent] = []
    try:
        async for event in provider.stream(request):
            seen.append(event)
    except errors.ProviderError as error:
        assert expected and type(error) is expected
        assert error.remedy and "<" not in str(error)
        assert not any(isinstance(event, ModelFinish) for event in seen)
        if "retry_after" in fault:
            assert error.retry_after is not None and error.retry_after >= 0
    else:
        assert expected is None
        _hold(seen, fault)
    if fault.get("then") == "abort":
        assert _text(seen) == "part", "text that came before the break is kept"
    if "dns" not in fault:
        server.reply(server.text("next"))
        assert _text([event async for event in provider.stream(request)]) == "next"


def _hold(seen: list[ModelEvent], fault: Mapping[str, Any]) -> None:
    finish = seen[-1]
    assert isinstance(finish, ModelFinish)
    if "tool_calls" not in fault:
        assert _text(seen) == TEXT
        assert finish.reason is FinishReason(fault.get("finish_reason", "stop"))
        return
    assert finish.reason is FinishReason.TOOL_CALLS
    (call,) = finish.tool_calls
    assert call.id and call.name == "read_file"
    assert json.loads(call.arguments) == {"path": "a"}


def _call_pieces(kind: object) -> list[dict[str, Any]]:
    arguments = '{"path": "a"}'
    if kind == "missing_id":
        return [{"index": 0, "function": {"name": "read_file", "arguments": arguments}}]
    if kind == "name_split":
        return [
            {"index": 0, "id": "c", "function": {"name": "read_", "arguments": ""}},
            {"index": 0, "function": {"name": "file", "arguments": arguments}},
        ]
    assert isinstance(kind, int)
    function = {"name": "read_file", "arguments": arguments}
    return [{"index": n, "id": f"c{n}", "function": function} for n in range(kind)]


def _text(events: list[ModelEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ModelText))
