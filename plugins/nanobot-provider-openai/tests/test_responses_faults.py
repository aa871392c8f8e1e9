"""Every fault of the corpus, played by a server of the Responses API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import AssistantMessage, Text, ToolCall, ToolResult, ToolUse, UserMessage
from nanobot.provider import ModelEvent, ModelFinish
from nanobot_provider_openai.convert import conversation
from nanobot_testing.contracts.provider import KEY, answer, ask, collect
from nanobot_testing.servers.responses import ResponsesServer
from nanobot_testing.servers.wire import Act, Reply, json_reply

MODEL = "gpt-5.4-mini"
CORPORA = Path(__file__).with_name("corpora")
FAULTS = {
    item["id"]: item["input"]
    for item in json.loads((CORPORA / "provider_faults.json").read_text())["items"]
}
ARGUMENTS = [
    item["input"] for item in json.loads((CORPORA / "tool_args.json").read_text())["items"]
]


def joined(reply: Reply) -> bytes:
    return b"".join(piece for piece in reply.body if isinstance(piece, bytes))


def script(
    server: ResponsesServer, fault: dict[str, Any]
) -> tuple[Reply, type[errors.ProviderError] | None]:
    """Return what the server does, and the error that must come of it."""
    if status := fault.get("status"):
        if status == 200:
            text = fault["body"] if "body" in fault else json.dumps(fault["json"])
            return Reply(body=[text.encode()], chunked=False), errors.MalformedAnswer
        wait = {"retry-after": str(fault["retry_after"])} if "retry_after" in fault else {}
        kind = {429: errors.RateLimitError, 503: errors.OverloadError}[status]
        return json_reply({"error": {"message": "no"}}, status=status, **wait), kind
    if "stream" in fault and fault.get("then") == "abort":
        return server.text(*fault["stream"], Act.CLOSE), errors.TransportError
    if "stream" in fault:
        return Reply(body=[line.encode() for line in fault["stream"]]), errors.MalformedAnswer
    if fault.get("stream_bytes") == "split_utf8":
        whole = joined(server.text("wörld 🐈"))
        return Reply(body=[whole[n : n + 1] for n in range(len(whole))]), None
    if "tool_calls" in fault:
        count = fault["tool_calls"] if isinstance(fault["tool_calls"], int) else 1
        whole = joined(server.tools(*[("read_file", '{"path": "a"}')] * count, split=5))
        if fault["tool_calls"] == "missing_id":
            whole = whole.replace(b'"call_id": "', b'"no_id": "')
        return Reply(body=[whole]), errors.MalformedAnswer if count > 1 else None
    if "finish_reason" in fault:
        return server.text("wörld 🐈", finish=fault["finish_reason"]), None
    if fault.get("connect") == "reset_after_headers":
        return Reply(body=[Act.RESET]), errors.TransportError
    if fault.get("context_overflow"):
        return server.failure("context"), errors.ContextOverflow
    if "dns" in fault:
        return server.text("never asked"), errors.TransportError
    assert fault == {"ok": True}, f"the corpus has a fault that no script plays: {fault}"
    return server.text("wörld 🐈"), None


@pytest.mark.parametrize("item", FAULTS)
def test_a_fault_ends_cleanly_and_the_next_request_works(talk: Any, item: str) -> None:
    fault = FAULTS[item]

    async def check(provider: Any, server: ResponsesServer) -> None:
        reply, expected = script(server, fault)
        server.reply(reply)
        seen: list[ModelEvent] = []
        try:
            async for shown in provider.stream(ask(model=MODEL)):
                seen.append(shown)
        except errors.ProviderError as error:
            assert type(error) is expected and error.remedy
            assert KEY not in str(error) and "<" not in str(error)
            assert ("retry_after" not in fault) or error.retry_after is not None
        else:
            assert expected is None
            finish = seen[-1]
            assert isinstance(finish, ModelFinish)
            assert len({call.id for call in finish.tool_calls}) == len(finish.tool_calls)
            assert finish.tool_calls or answer(seen) == "wörld 🐈"
        if "dns" not in fault:
            server.reply(server.text("next"))
            assert answer(await collect(provider.stream(ask(model=MODEL)))) == "next"

    talk(check, config={"apiBase": "http://no-such-host.invalid/v1"} if "dns" in fault else None)


@pytest.mark.parametrize("arguments", ARGUMENTS)
def test_arguments_pass_untouched_and_never_spoil_the_history(talk: Any, arguments: str) -> None:
    async def check(provider: Any, server: ResponsesServer) -> None:
        server.reply(server.tools(("exec", arguments), split=3))
        finish = (await collect(provider.stream(ask(model=MODEL))))[-1]
        assert isinstance(finish, ModelFinish)
        assert [call.arguments for call in finish.tool_calls] == [arguments or "{}"]

    talk(check)
    use = ToolUse(
        call=ToolCall(id="a", name="exec", arguments=arguments),
        result=ToolResult.error("bad_arguments", "no"),
    )
    history = (UserMessage(parts=(Text(text="hi"),)), AssistantMessage(tool_uses=(use,)))
    assert isinstance(json.loads(conversation(history, MODEL)[1]["arguments"]), dict)
