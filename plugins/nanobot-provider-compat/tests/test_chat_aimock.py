"""The dialect against aimock, a mock of the vendors' APIs that others wrote.

It runs on Node. Where Node or the package can not be had the tests are skipped, with the reason,
unless ``NANOBOT_TEST_STRICT=1``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
from nanobot import errors
from nanobot.messages import (
    AssistantMessage,
    FinishReason,
    Image,
    ReasoningBlock,
    Text,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import ModelEvent, ModelFinish, ModelReasoning
from nanobot.specs import ProviderSpec
from nanobot_testing import open_spec, run
from nanobot_testing.contracts.provider import answer, ask, collect
from nanobot_testing.node import aimock
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.wire import Reply

FIXTURES = Path(__file__).with_name("corpora") / "aimock.json"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a running aimock."""
    fixtures = json.loads(FIXTURES.read_text())["fixtures"]
    with aimock(fixtures, tmp_path_factory.mktemp("aimock")) as address:
        yield f"{address}/v1"


VENDORS: dict[str, dict[str, object]] = {
    "a gateway": {
        "thinking": "openrouter",
        "cache_markers": ("gpt",),
        "headers": {"x-title": "nanobot"},
        "cache_key_header": "x-session",
    },
    "a strict house": {
        "stream_usage": False,
        "tool_id_style": "nine",
        "replay_reasoning": "drop",
        "string_content_only": True,
    },
    "a thinking house": {
        "thinking": "thinking_type",
        "token_field": "max_completion_tokens",
        "replay_reasoning": "required_empty",
        "tools_body": {"tool_stream": True},
        "cache_key_field": "prompt_cache_key",
    },
    "a signing house": {"signed_calls": True, "replay_reasoning": "drop"},
}


def talk(
    base: str,
    folder: Path,
    *requests: Any,
    options: Mapping[str, object] | None = None,
    **config: object,
) -> list[list[ModelEvent]]:
    spec = ProviderSpec(
        name="acme",
        factory="nanobot_provider_compat.provider:open_provider",
        options={"base_url": base, **(options or {})},
    )
    section = {"apiKey": "any", **config}

    async def go() -> list[list[ModelEvent]]:
        async with open_spec(spec, section, folder, plugin="providers.acme") as provider:
            return [await collect(provider.stream(request)) for request in requests]

    return run(go())


def last(events: list[ModelEvent]) -> ModelFinish:
    assert isinstance(events[-1], ModelFinish)
    return events[-1]


def test_text(base: str, tmp_path: Path) -> None:
    (events,) = talk(base, tmp_path, ask("say hello", model="gpt-4o"))
    assert answer(events) == "Hello wörld 🐈, how are you today?"
    finish = last(events)
    assert finish.reason is FinishReason.STOP and finish.model == "gpt-4o"
    assert finish.usage.billed.output > 0 and not finish.usage.estimated


def test_tools_and_their_results(base: str, tmp_path: Path) -> None:
    (events,) = talk(base, tmp_path, ask("use tools", model="gpt-4o"))
    calls = last(events).tool_calls
    assert last(events).reason is FinishReason.TOOL_CALLS
    paths = [json.loads(call.arguments)["path"] for call in calls]
    assert paths == ["ä.txt", "b.txt"] and len({call.id for call in calls}) == 2
    uses = tuple(ToolUse(call=call, result=ToolResult.ok("text")) for call in calls)
    history = (UserMessage(parts=(Text(text="use tools"),)), AssistantMessage(tool_uses=uses))
    (events,) = talk(base, tmp_path, ask(model="gpt-4o", messages=history))
    assert answer(events) == "Both are read."


def test_reasoning(base: str, tmp_path: Path) -> None:
    (events,) = talk(base, tmp_path, ask("think first", model="gpt-4o"))
    thought = [event.text for event in events if isinstance(event, ModelReasoning)]
    assert "".join(thought) == "I think." and answer(events) == "Answer."


@pytest.mark.parametrize("options", VENDORS.values(), ids=VENDORS)
def test_every_manner_of_speaking_is_understood(
    base: str, tmp_path: Path, options: dict[str, object]
) -> None:
    """A turn with tools, a picture and reasoning, in the manner of several vendors."""
    effort = {"model": "gpt-4o", "reasoning_effort": "high", "cache_key": "s"}
    (events,) = talk(base, tmp_path, ask("use tools", **effort), options=options)
    finish = last(events)
    assert len(finish.tool_calls) == 2
    picture = Image(data=b"\x89PNG", media_type="image/png", name="cat.png")
    uses = tuple(ToolUse(call=c, result=ToolResult.ok("text", picture)) for c in finish.tool_calls)
    thought = ReasoningBlock(text="hm", dialect="chat")
    history = (
        UserMessage(parts=(Text(text="use tools"),)),
        AssistantMessage(tool_uses=uses, reasoning=(thought,)),
    )
    follow = (*history, UserMessage(parts=(Text(text="think first"), picture)))
    requests = (ask(messages=follow, **effort), ask("say hello", **effort))
    seen, hello = talk(base, tmp_path, *requests, options=options)
    assert answer(seen) == "Answer." and answer(hello).startswith("Hello")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("slow down", errors.RateLimitError),
        ("wrong key", errors.AuthError),
        ("break off", errors.TransportError),
        ("nobody knows this", errors.BadRequest),
    ],
)
def test_failures(base: str, tmp_path: Path, text: str, expected: type) -> None:
    with pytest.raises(expected) as caught:
        talk(base, tmp_path, ask(text, model="gpt-4o"))
    if expected is errors.RateLimitError:
        assert caught.value.retry_after == 1


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ("drop", errors.OverloadError),
        ("malformed", errors.MalformedAnswer),
        ("disconnect", errors.TransportError),
        ("ratelimit", errors.RateLimitError),
    ],
)
def test_chaos(base: str, tmp_path: Path, fault: str, expected: type) -> None:
    headers = {f"x-aimock-chaos-{fault}": "1"}
    with pytest.raises(expected):
        talk(base, tmp_path, ask("say hello", model="gpt-4o"), extraHeaders=headers)


def shapes(stream: bytes) -> set[str]:
    """Return every path of keys with its type that occurs in a stream, without the optional."""

    def walk(value: object, path: str) -> Iterator[str]:
        if isinstance(value, dict):
            for key, inner in value.items():
                yield from walk(inner, f"{path}.{key}")
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner, f"{path}[]")
        else:
            yield f"{path}: {type(value).__name__}"

    lines = [line[6:] for line in stream.decode().split("\n") if line.startswith("data: {")]
    return {found for line in lines for found in walk(json.loads(line), "")}


@pytest.mark.parametrize("text", ["say hello", "use tools", "think first"])
def test_our_own_server_says_what_aimock_says(base: str, text: str) -> None:
    """The scripted server is no invention: its chunks have all fields that aimock's have."""
    server = ChatServer()
    ours: Reply = {
        "say hello": server.text("Hello wörld 🐈"),
        "use tools": server.tools(("read_file", "{}")),
        "think first": server.thinking(["I think."], "Answer."),
    }[text]
    body = {
        "model": "gpt-4o",
        "stream": True,
        "stream_options": {"include_usage": True},
        "messages": [{"role": "user", "content": text}],
    }
    theirs = httpx.post(f"{base}/chat/completions", json=body, trust_env=False).content
    said = b"".join(piece for piece in ours.body if isinstance(piece, bytes))
    assert theirs.endswith(b"data: [DONE]\n\n") and said.endswith(b"data: [DONE]\n\n")
    assert shapes(theirs) <= shapes(said)
