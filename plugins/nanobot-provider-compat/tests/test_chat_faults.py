"""Every fault and every argument text of the kit's corpora, under several vendors' options."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest
from nanobot import errors
from nanobot.messages import AssistantMessage, ToolResult, ToolUse
from nanobot.provider import ModelFinish
from nanobot_testing import run
from nanobot_testing.contracts.provider import ask, collect
from nanobot_testing.servers.chat import ChatServer
from nanobot_testing.servers.chat_faults import ARGUMENTS, FAULTS, play, section_of
from nanobot_testing.servers.wire import json_reply

Connect = Callable[..., AbstractAsyncContextManager[tuple[Any, ChatServer]]]
OPTIONS: dict[str, dict[str, object]] = {
    "plain": {},
    "strict": {"tool_id_style": "nine", "string_content_only": True, "replay_reasoning": "drop"},
    "keeping": {"signed_calls": True, "replay_reasoning": "required_empty"},
}


@pytest.mark.parametrize("item", FAULTS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_a_fault_ends_cleanly_and_the_next_request_works(
    connect: Connect, options: dict[str, object], item: str
) -> None:
    async def check() -> None:
        async with connect(section_of(FAULTS[item]), **options) as (provider, server):
            await play(provider, server, FAULTS[item], ask())

    run(check())


@pytest.mark.parametrize("item", ARGUMENTS)
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_arguments_are_handed_on_and_sent_back_as_an_object(
    connect: Connect, options: dict[str, object], item: str
) -> None:
    async def check() -> None:
        async with connect(**options) as (provider, server):
            server.reply(server.tools(("read_file", ARGUMENTS[item]), split=5))
            finish = (await collect(provider.stream(ask())))[-1]
            assert isinstance(finish, ModelFinish)
            (call,) = finish.tool_calls
            assert call.arguments == (ARGUMENTS[item] or "{}")
            use = ToolUse(call=call, result=ToolResult.error("bad_arguments", "no"))
            server.reply(server.text("ok"))
            history = (*ask().messages, AssistantMessage(tool_uses=(use,)))
            await collect(provider.stream(ask(messages=history)))
            (back,) = server.requests[-1].json["messages"][2]["tool_calls"]
            assert isinstance(json.loads(back["function"]["arguments"]), dict)

    run(check())


@pytest.mark.parametrize(
    ("status", "message", "expected"),
    [
        (400, "context length 128500 exceeded", errors.ContextOverflow),
        (400, "429 500 503 connection timed out overloaded", errors.BadRequest),
        (401, "connection to the account was lost, rate limit 429", errors.AuthError),
        (404, "server error: no such model", errors.BadRequest),
        (422, "the balance parameter must not be empty", errors.BadRequest),
    ],
)
def test_words_do_not_make_a_refusal_temporary(
    connect: Connect, status: int, message: str, expected: type[errors.ProviderError]
) -> None:
    """A final refusal that is retried because of a word in it costs the user time and money."""

    async def check() -> None:
        async with connect() as (provider, server):
            server.reply(json_reply({"error": {"message": message}}, status=status))
            with pytest.raises(errors.ProviderError) as caught:
                await collect(provider.stream(ask()))
            assert type(caught.value) is expected and not caught.value.retryable

    run(check())
