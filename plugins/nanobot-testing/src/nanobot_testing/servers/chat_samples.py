"""Samples of a vendor's dialect, as its documentation shows it, in a JSON file beside the tests.

The file names its ``source`` and has up to three lists; every entry has a ``name``.

``requests``: what must be sent. The request is made of ``model``, ``effort``, ``temperature``,
``cache_key`` and ``history``; then ``sends`` is the part of the body that must be there,
``leaves_out`` names fields that must not be, ``headers`` gives headers (null for any value).

``answers``: what must be read. ``stream`` is a list of chunks, as objects or as raw lines; then
``text``, ``reasoning``, ``calls`` ([name, arguments] each), ``finish``, ``usage`` (fields of
`nanobot.messages.BilledTokens`) and ``model`` tell what it means; ``goes_back`` is the part of the
assistant's message that the next request must carry, ``stays_here`` names what it must not.

``refusals``: ``status``, ``body`` and ``headers``, or a ``stream``; then ``error`` names the class,
``retry_after`` the seconds, ``says`` a part of the message or remedy.

A ``history`` is a list of ``{"user": text, "picture": bool}`` and
``{"assistant": text, "reasoning": text, "calls": [[id, name, arguments, result]]}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import (
    AssistantMessage,
    FinishReason,
    Image,
    Message,
    ReasoningBlock,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import ModelFinish, ModelReasoning, ModelRequest, ModelText, Provider

from nanobot_testing.servers.chat import DONE, ChatServer
from nanobot_testing.servers.wire import Reply, sse

Sample = Mapping[str, Any]
_PIECE = 13
PICTURE = Image(data=b"\x89PNG", media_type="image/png", name="cat.png")


def changes(sample: Sample) -> dict[str, Any]:
    """Return how the request of a sample differs from a plain one."""
    names = {"effort": "reasoning_effort", "model": "model", "temperature": "temperature"}
    names["cache_key"] = "cache_key"
    given = {field: sample[name] for name, field in names.items() if name in sample}
    if "history" in sample:
        given["messages"] = history(sample["history"])
    return given


def history(entries: Sequence[Sample]) -> tuple[Message, ...]:
    """Return a conversation."""
    made: list[Message] = []
    for entry in entries:
        if "user" in entry:
            picture = (PICTURE,) if entry.get("picture") else ()
            made.append(UserMessage(parts=(Text(text=entry["user"]), *picture)))
            continue
        thought = entry.get("reasoning")
        blocks = (ReasoningBlock(text=thought, dialect="chat"),) if thought else ()
        uses = tuple(
            ToolUse(
                call=ToolCall(id=call_id, name=name, arguments=arguments),
                result=ToolResult.ok(result),
            )
            for call_id, name, arguments, result in entry.get("calls", ())
        )
        made.append(AssistantMessage(text=entry["assistant"], reasoning=blocks, tool_uses=uses))
    return tuple(made)


async def check_request(
    provider: Provider, server: ChatServer, sample: Sample, request: ModelRequest
) -> None:
    """Send a request and compare what arrives."""
    server.reply(server.text("ok"))
    async for _ in provider.stream(request):
        pass
    sent = server.requests[-1]
    assert not (gap := missing(sample.get("sends", {}), sent.json)), gap
    assert not [name for name in sample.get("leaves_out", ()) if name in sent.json]
    for name, value in sample.get("headers", {}).items():
        assert sent.headers.get(name), f"header {name} is not sent"
        assert value in (None, sent.headers[name])


async def check_answer(
    provider: Provider, server: ChatServer, sample: Sample, request: ModelRequest
) -> None:
    """Read an answer and compare what it means, then what goes back of it.

    It is read twice, the second time cut into pieces that respect no border.
    """
    whole = _stream(sample["stream"])
    for reply in (whole, _cut(whole)):
        server.reply(reply)
        finish, text = await _read(provider, sample, request)
    if "goes_back" not in sample and "stays_here" not in sample:
        return
    uses = tuple(ToolUse(call=call, result=ToolResult.ok("r")) for call in finish.tool_calls)
    said = AssistantMessage(text=text, reasoning=finish.reasoning, tool_uses=uses)
    follow = UserMessage(parts=(Text(text="go on"),))
    server.reply(server.text("ok"))
    async for _ in provider.stream(replace(request, messages=(*request.messages, said, follow))):
        pass
    messages = server.requests[-1].json["messages"]
    back = next(message for message in messages if message["role"] == "assistant")
    assert not (gap := missing(sample.get("goes_back", {}), back)), gap
    assert not [name for name in sample.get("stays_here", ()) if name in back]


async def _read(
    provider: Provider, sample: Sample, request: ModelRequest
) -> tuple[ModelFinish, str]:
    events = [event async for event in provider.stream(request)]
    finish = events[-1]
    assert isinstance(finish, ModelFinish)
    text = "".join(event.text for event in events if isinstance(event, ModelText))
    thought = "".join(event.text for event in events if isinstance(event, ModelReasoning))
    calls = [[call.name, json.loads(call.arguments)] for call in finish.tool_calls]
    assert text == sample.get("text", "")
    assert thought == sample.get("reasoning", "")
    assert calls == sample.get("calls", [])
    assert len({call.id for call in finish.tool_calls}) == len(calls)
    assert finish.reason is FinishReason(sample.get("finish", "stop"))
    assert finish.usage.estimated is ("usage" not in sample)
    assert not (gap := missing(sample.get("usage", {}), asdict(finish.usage.billed))), gap
    assert finish.model == sample.get("model", finish.model)
    return finish, text


async def check_refusal(
    provider: Provider, server: ChatServer, sample: Sample, request: ModelRequest
) -> None:
    """Read a refusal and compare the error that it becomes."""
    if "stream" in sample:
        server.reply(_stream(sample["stream"]))
    else:
        body = sample.get("body", "")
        text = body if isinstance(body, str) else json.dumps(body, ensure_ascii=False)
        server.reply(
            Reply(
                status=sample["status"],
                headers=sample.get("headers", {}),
                body=[text.encode()],
                chunked=False,
            )
        )
    expected = getattr(errors, sample["error"])
    with pytest.raises(errors.ProviderError) as caught:
        async for _ in provider.stream(request):
            pass
    assert type(caught.value) is expected, str(caught.value)
    assert caught.value.retry_after == sample.get("retry_after", caught.value.retry_after)
    assert sample.get("says", "") in str(caught.value)


def missing(expected: Any, found: Any, where: str = "") -> str:
    """Say which part of what is expected is not found; empty when all is there."""
    if isinstance(expected, Mapping) and isinstance(found, Mapping):
        for key, value in expected.items():
            if key not in found:
                return f"{where}.{key} is not there"
            if gap := missing(value, found[key], f"{where}.{key}"):
                return gap
        return ""
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = zip(expected, found, strict=True)
        gaps = (missing(e, f, f"{where}[{n}]") for n, (e, f) in enumerate(pairs))
        return next(filter(None, gaps), "")
    same = expected == found and isinstance(expected, bool) is isinstance(found, bool)
    return "" if same else f"{where} is {found!r}, not {expected!r}"


def _stream(chunks: Sequence[object]) -> Reply:
    pieces = [chunk.encode() if isinstance(chunk, str) else sse(chunk) for chunk in chunks]
    return Reply(body=[*pieces, DONE])


def _cut(reply: Reply) -> Reply:
    whole = b"".join(piece for piece in reply.body if isinstance(piece, bytes))
    return Reply(body=[whole[i : i + _PIECE] for i in range(0, len(whole), _PIECE)])
