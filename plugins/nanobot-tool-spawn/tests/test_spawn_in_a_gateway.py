"""Subagents in a real gateway, and in an instance without one."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from nanobot.messages import UserMessage, text_of
from nanobot_testing.lab import answer, call

SPAWN = answer(calls=[call("spawn", json.dumps({"task": "do count", "label": "count"}))])


def by_words(chats: Any, **answers: Any) -> None:
    """Let the model answer by a word of what it is told last; sessions run side by side."""

    async def step(request: Any) -> Any:
        last = request.messages[-1]
        told = text_of(last.parts) if isinstance(last, UserMessage) else "after"
        chosen = next(made for word, made in answers.items() if word in told)
        async for event in chosen(request):
            yield event

    chats.model.always(step)


def test_the_chat_goes_on_and_hears_the_result_later(chats: Any) -> None:
    may_end = asyncio.Event()

    async def count(request: Any) -> Any:
        assert "spawn" not in {tool.name for tool in request.tools}, "it sends nobody itself"
        await may_end.wait()
        async for event in answer("there are seven")(request):
            yield event

    by_words(
        chats,
        hello=answer("Hello."),
        please=SPAWN,
        after=answer("I am on it."),
        Result=answer("Counted: seven."),
        do=count,
    )

    async def go(gateway: Any) -> None:
        await chats.phone.says("count, please")
        await chats.phone.hears(1)
        await chats.phone.says("hello")
        await chats.phone.hears(2)
        may_end.set()
        assert await chats.phone.hears(3) == ["I am on it.", "Hello.", "Counted: seven."]

    chats.run(go)


def test_a_profile_of_the_configuration_does_the_work(chats: Any) -> None:
    chats.shop.config["agents"]["subagentProfiles"] = {
        "clerk": {"instructions": "You are the clerk."}
    }
    given = json.dumps({"task": "do count", "profile": "clerk", "wait": True})
    by_words(
        chats,
        please=answer(calls=[call("spawn", given)]),
        after=answer("It is seven."),
        do=answer("seven"),
    )

    async def go(gateway: Any) -> None:
        await chats.phone.says("count, please")
        assert await chats.phone.hears(1) == ["It is seven."]

    chats.run(go)
    assert any(r.system[-1].text == "You are the clerk." for r in chats.model.requests)
    assert chats.results()[0].text.endswith("\nseven")


def test_in_a_script_the_work_is_done_at_once(chats: Any) -> None:
    by_words(chats, please=SPAWN, after=answer("It is seven."), do=answer("seven"))
    assert chats.script("count, please") == "It is seven."
    assert chats.results()[0].text.endswith("\nseven")
