"""A message on its way through a real gateway."""

from __future__ import annotations

import json
from typing import Any

from nanobot_testing.lab import call


def test_a_file_reaches_the_chat_in_place_of_the_answer(chats: Any) -> None:
    (chats.workspace / "report.txt").write_text("all is well")
    sent = {"content": "Here it is.", "media": ["report.txt"]}
    chats.model.calls(call("message", json.dumps(sent))).says("I sent it.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("the report, please", user="bob")
        await chats.phone.hears(1)
        await gateway.sessions.drained()

    chats.run(go)
    assert [(m.target.chat, m.text, m.files) for m in chats.phone.sent] == [
        ("bob", "Here it is.", (chats.workspace / "report.txt",))
    ]
    assert chats.results()[0].text == "Sent to phone:bob with 1 file."


def test_an_owner_writes_to_another_chat_and_a_user_does_not(chats: Any) -> None:
    told = json.dumps({"content": "Dinner!", "chat_id": "bob"})
    chats.model.calls(call("message", told)).says("Told him.")
    chats.model.calls(call("message", told.replace("bob", "alice"))).says("I may not.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("tell Bob")
        await chats.phone.hears(2)
        assert not chats.results()[-1].is_error
        await chats.phone.says("tell Alice", user="bob")
        await chats.phone.hears(3)

    chats.run(go)
    assert chats.results()[-1].kind == "not_allowed"
    said = [(m.target.chat, m.text) for m in chats.phone.sent]
    assert sorted(said[:2]) == [("alice", "Told him."), ("bob", "Dinner!")]
    assert said[2:] == [("bob", "I may not.")]


def test_a_channel_that_is_not_connected_is_said(chats: Any) -> None:
    sent = json.dumps({"content": "Hello.", "channel": "pigeon", "chat_id": "7"})
    chats.model.calls(call("message", sent)).says("There is no pigeon.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("send it by pigeon")
        assert await chats.phone.hears(1) == ["There is no pigeon."]

    chats.run(go)
    assert chats.results()[0].kind == "not_found"


def test_in_a_script_there_are_no_chats(chats: Any) -> None:
    chats.model.calls(call("message", '{"content": "Hello."}')).says("I can not.")
    assert chats.script("say hello") == "I can not."
    assert chats.results()[0].kind == "unavailable"
