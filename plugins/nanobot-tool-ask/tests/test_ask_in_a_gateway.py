"""A question on its way through a real gateway, and through a restart."""

from __future__ import annotations

import json
from typing import Any

from nanobot_testing.lab import call

QUESTION = json.dumps(
    {"question": "Which one?", "choices": ["red", {"label": "blue", "description": "the sky"}]}
)


def test_the_user_answers_with_a_number(chats: Any) -> None:
    chats.model.calls(call("ask_user", QUESTION)).says("Blue it is.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("paint it", user="bob")
        await chats.phone.hears(1)
        await chats.phone.says("2", user="bob")
        assert (await chats.phone.hears(2))[1] == "Blue it is."

    chats.run(go)
    asked = chats.phone.sent[0]
    assert (asked.text, asked.buttons) == (
        "Which one?\n\n1. red\n2. blue: the sky",
        (("red",), ("blue",)),
    )
    assert [result.text for result in chats.results()] == ["blue"]


def test_the_answer_reaches_the_turn_though_the_gateway_was_restarted(chats: Any) -> None:
    chats.model.calls(call("ask_user", QUESTION))

    async def ask(gateway: Any) -> None:
        await chats.phone.says("paint it", user="bob")
        await chats.phone.hears(1)
        await gateway.drain(0)

    async def answer(gateway: Any) -> None:
        await chats.phone.says("red", user="bob")
        heard = await chats.phone.hears(2)
        assert heard == ["The turn was interrupted; it goes on now.", "Red it is."]

    chats.run(ask)
    chats.model.says("Red it is.")
    chats.run(answer)
    assert [result.text for result in chats.results()] == ["red"]


def test_in_a_script_the_model_asks_in_its_answer(chats: Any) -> None:
    chats.model.calls(call("ask_user", QUESTION)).says("Which one?")
    assert chats.script("paint it") == "Which one?"
    assert chats.results()[0].kind == "unavailable"
