"""The offline provider keeps the promises of every plugin, and those of a model's stream."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import (
    AssistantMessage,
    FinishReason,
    Text,
    ToolCall,
    ToolResult,
    ToolUse,
    UserMessage,
)
from nanobot.provider import ModelEvent, ModelFinish, ModelLister, ModelRequest, ModelText
from nanobot.specs import ProviderSpec
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.base import PluginContract

Stream = Callable[[ModelRequest], list[ModelEvent]]
RequestOf = Callable[..., ModelRequest]

ODD = ToolUse(
    call=ToolCall(id="a|b c/ü" * 20, name="no_such_tool", arguments='{"path": '),
    result=ToolResult.error("bad_arguments", "not JSON"),
)
SAYINGS = ["Hello!", "list files", "remember that I like tea", "what is 2+2", "Why?", "", "\x00 \n"]


class TestOffline(PluginContract):
    plugin = "providers.offline"


def test_it_is_the_last_resort_and_needs_no_key() -> None:
    spec: ProviderSpec = load_spec("providers.offline")
    assert spec.last_resort and not spec.needs_key and not spec.env_keys
    assert spec.default_model == "offline"


@pytest.mark.parametrize("said", SAYINGS)
def test_a_stream_is_text_and_one_finish_with_usage(
    stream: Stream, request_of: RequestOf, said: str
) -> None:
    *texts, finish = stream(request_of(said))
    assert isinstance(finish, ModelFinish)
    assert all(isinstance(event, ModelText) and event.text for event in texts)
    assert finish.usage.estimated and finish.usage.calls == 1
    assert finish.usage.billed.input > 0 and finish.usage.billed.output > 0
    assert finish.usage.context == finish.usage.billed.input + finish.usage.billed.output
    assert (finish.reason is FinishReason.TOOL_CALLS) == bool(finish.tool_calls)
    for call in finish.tool_calls:
        assert call.id and isinstance(json.loads(call.arguments), dict)


def test_an_answer_comes_word_by_word(stream: Stream, request_of: RequestOf) -> None:
    *texts, _ = stream(request_of("Hello!"))
    pieces = [event.text for event in texts if isinstance(event, ModelText)]
    assert len(pieces) > 20
    assert all(len(piece.split()) == 1 for piece in pieces)


@pytest.mark.parametrize("said", SAYINGS)
def test_the_same_request_gives_the_same_stream(
    stream: Stream, request_of: RequestOf, said: str
) -> None:
    assert stream(request_of(said)) == stream(request_of(said))


def test_more_to_read_costs_more(stream: Stream, request_of: RequestOf) -> None:
    short, long = stream(request_of("Why?"))[-1], stream(request_of("Why? " * 100))[-1]
    assert isinstance(short, ModelFinish) and isinstance(long, ModelFinish)
    assert long.usage.billed.input > short.usage.billed.input
    assert long.usage.billed.output == short.usage.billed.output


def test_histories_of_other_providers_are_read(stream: Stream, request_of: RequestOf) -> None:
    history = (
        UserMessage(parts=(Text(text="one"),)),
        AssistantMessage(tool_uses=(ODD, ODD)),
        AssistantMessage(text="two"),
    )
    assert isinstance(stream(request_of(*history))[-1], ModelFinish)
    assert isinstance(stream(request_of(*history, "three"))[-1], ModelFinish)


def test_call_ids_are_unique_in_a_conversation(stream: Stream, request_of: RequestOf) -> None:
    first = stream(request_of("list files"))[-1]
    assert isinstance(first, ModelFinish)
    use = ToolUse(call=first.tool_calls[0], result=ToolResult.ok("a.txt"))
    history = (request_of("list files").messages[0], AssistantMessage(tool_uses=(use,)))
    second = stream(request_of(*history, "list files"))[-1]
    assert isinstance(second, ModelFinish)
    assert second.tool_calls[0].id != first.tool_calls[0].id


def test_no_call_when_calls_are_forbidden(stream: Stream, request_of: RequestOf) -> None:
    for changes in ({"tool_choice": "none"}, {"tools": ()}):
        for said in ("list files", "read a.txt", "run: date", "remember that I like tea"):
            finish = stream(request_of(said, **changes))[-1]
            assert isinstance(finish, ModelFinish) and not finish.tool_calls


def test_streams_run_beside_each_other_and_may_be_left(
    tmp_path: Path, request_of: RequestOf
) -> None:
    async def go() -> None:
        async with open_spec(load_spec("providers.offline"), {}, tmp_path) as provider:

            async def text_of(said: str) -> str:
                events = provider.stream(request_of(said))
                return "".join([e.text async for e in events if isinstance(e, ModelText)])

            async with aclosing(provider.stream(request_of("Hello!"))) as events:
                assert isinstance(await anext(events), ModelText)
            answers = await asyncio.gather(*(text_of(f"what is {n}+1") for n in range(10)))
            assert answers == [f"{n}+1 = {n + 1}" for n in range(10)]

    run(go())


def test_models_can_be_listed(tmp_path: Path) -> None:
    async def go() -> Any:
        async with open_spec(load_spec("providers.offline"), {}, tmp_path) as provider:
            assert isinstance(provider, ModelLister)
            return await provider.list_models()

    assert [model.id for model in run(go())] == ["offline"]
