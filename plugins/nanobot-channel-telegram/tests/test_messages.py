"""What people write, as the agent gets it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Text, Trust, text_of
from nanobot.specs import CommandSpec
from nanobot_gateway.channel import Accepted, Incoming, Verdict
from nanobot_testing.contracts.channel import Host

BOT_ID = 110201543
ALLOW = json.loads((Path(__file__).parent / "corpora" / "allow_from.json").read_text())["items"]


def entity(kind: str, offset: int, length: int, **fields: object) -> dict[str, object]:
    return {"type": kind, "offset": offset, "length": length, **fields}


def only(connected: Any, *updates: dict[str, Any], **config: Any) -> list[Incoming]:
    """Return what comes in when people write some messages, and one that ends them."""

    async def work(channel: Any, server: Any, host: Host) -> list[Incoming]:
        for fields in updates:
            await server.write(**fields)
        await server.write(text="the end", user="u2")
        await server.confirmed()
        return [m for m in host.messages if text_of(m.parts) != "the end"]

    return list(connected(work, **config))


# --- who -----------------------------------------------------------------------------------------


def test_the_sender_is_a_number(connected: Any) -> None:
    (ann,) = only(connected, {"text": "hi"})
    assert (ann.sender, ann.aliases) == ("1001", ())
    assert ann.chat == "1001" and ann.direct and not ann.session and not ann.thread
    assert ann.sent_at and ann.sent_at.tzinfo


@pytest.mark.parametrize(
    "row", [r for r in ALLOW if "id" in r["input"]["sender"]], ids=lambda r: r["id"]
)
def test_identities(connected: Any, row: dict[str, Any]) -> None:
    """Nothing but the sender's own id is offered to match a list; user names change hands."""
    who = row["input"]["sender"]
    number = {"evil": 666}.get(who["id"], who["id"])
    user = {"id": int(number), "is_bot": False, "first_name": "X"}
    if "username" in who:
        user["username"] = who["username"]
    (message,) = only(connected, {"text": "hi", "from": user, "group": True})
    assert {message.sender, *message.aliases} == {str(number)}


def test_an_anonymous_administrator_is_the_chat_that_speaks(connected: Any) -> None:
    """The account before such messages is shared by all of Telegram."""
    shared = {"id": 1087968824, "is_bot": True, "first_name": "G", "username": "GroupAnonymousBot"}
    chat = {"id": -100500, "type": "supergroup", "title": "Team"}
    (message,) = only(connected, {"text": "hi", "group": True, "from": shared, "sender_chat": chat})
    assert (message.sender, message.aliases) == ("-100500", ())


# --- addressed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "mentioned"),
    [
        ({"text": "hello"}, False),
        ({"text": "hey @nano_bot", "entities": [entity("mention", 4, 9)]}, True),
        ({"text": "🎉🎉 @nano_bot", "entities": [entity("mention", 5, 9)]}, True),
        ({"text": "hey @nano_bot2", "entities": [entity("mention", 4, 10)]}, False),
        ({"text": "see @nano_bot"}, False),
        (
            {
                "text": "hey Nano",
                "entities": [
                    entity(
                        "text_mention", 4, 4, user={"id": BOT_ID, "is_bot": True, "first_name": "N"}
                    )
                ],
            },
            True,
        ),
        (
            {
                "text": "hey Ann",
                "entities": [
                    entity(
                        "text_mention", 4, 3, user={"id": 1001, "is_bot": False, "first_name": "A"}
                    )
                ],
            },
            False,
        ),
        ({"text": "/stop@Nano_Bot", "entities": [entity("bot_command", 0, 14)]}, True),
        ({"text": "/stop@other_bot", "entities": [entity("bot_command", 0, 15)]}, False),
        ({"text": "/stop@not_nano_bot", "entities": [entity("bot_command", 0, 18)]}, False),
        ({"text": "/stop", "entities": [entity("bot_command", 0, 5)]}, False),
        (
            {
                "photo": [{"file_id": "p", "file_unique_id": "p", "width": 1, "height": 1}],
                "caption": "@nano_bot look",
                "caption_entities": [entity("mention", 0, 9)],
            },
            True,
        ),
    ],
)
def test_mentions_in_groups(connected: Any, fields: dict[str, Any], mentioned: bool) -> None:
    (message,) = only(connected, {"group": True, **fields})
    assert message.mentioned is mentioned
    assert not message.direct and message.chat == "-100500"


@pytest.mark.parametrize(("author", "mentioned"), [(BOT_ID, True), (1002, False)])
def test_a_reply_to_the_bot_is_a_mention(connected: Any, author: int, mentioned: bool) -> None:
    replied = {
        "message_id": 900,
        "date": 1,
        "chat": {"id": -100500, "type": "supergroup", "title": "Team"},
        "from": {"id": author, "is_bot": author == BOT_ID, "first_name": "N"},
        "text": "earlier",
    }
    (message,) = only(connected, {"text": "and?", "group": True, "reply_to_message": replied})
    assert message.mentioned is mentioned
    assert message.reply_to == "900"


# --- commands -------------------------------------------------------------------------------------

COMMANDS = [
    CommandSpec(name="help", factory="x:y"),
    CommandSpec(name="dream-log", factory="x:y"),
    CommandSpec(name="goal", factory="x:y"),
]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("/help", "/help"),
        ("/help@Nano_Bot", "/help"),
        ("/help@nano_bot me", "/help me"),
        ("/dream_log abc", "/dream-log abc"),
        ("/goal line one\nline two", "/goal line one\nline two"),
        ("/help@other_bot", "/help@other_bot"),
        ("/unknown_thing", "/unknown_thing"),
        ("/start", "/help"),
        ("/start payload", "/help"),
        ("/usr/bin is a path", "/usr/bin is a path"),
        ("see /help", "see /help"),
    ],
)
def test_commands(connected: Any, written: str, read: str) -> None:
    (message,) = only(connected, {"text": written}, context={"commands": lambda: COMMANDS})
    assert text_of(message.parts) == read


# --- topics and replies ---------------------------------------------------------------------------


def test_a_topic_is_a_session_of_its_own(connected: Any) -> None:
    message, other, plain = only(
        connected,
        {"text": "a", "group": True, "message_thread_id": 5, "is_topic_message": True},
        {"text": "b", "group": True, "message_thread_id": 6, "is_topic_message": True},
        {"text": "c", "group": True, "message_thread_id": 7},
    )
    assert (message.thread, message.session) == ("5", "-100500:topic:5")
    assert (other.thread, other.session) == ("6", "-100500:topic:6")
    assert (plain.thread, plain.session) == ("", "")  # a chain of replies is no topic


@pytest.mark.parametrize(
    "content", [{"forum_topic_created": {"name": "Topic", "icon_color": 1}}, {"text": "old"}]
)
def test_the_head_of_a_topic_is_not_a_reply(connected: Any, content: dict[str, Any]) -> None:
    """Telegram hangs every message of a topic on the message that made it."""
    head = {
        "message_id": 5,
        "date": 1,
        "chat": {"id": -100500, "type": "supergroup", "title": "Team"},
        "from": {"id": BOT_ID, "is_bot": True, "first_name": "N"},
        **content,
    }
    (message,) = only(
        connected,
        {
            "text": "a",
            "group": True,
            "message_thread_id": 5,
            "is_topic_message": True,
            "reply_to_message": head,
        },
    )
    assert not message.mentioned and not message.reply_to
    assert text_of(message.parts) == "a"


def reply_to(text: str, user: dict[str, Any], **fields: Any) -> dict[str, Any]:
    chat = {"id": 1001, "type": "private", "first_name": "Ann"}
    return {"message_id": 40, "date": 1, "chat": chat, "from": user, "text": text, **fields}


BO = {"id": 1002, "is_bot": False, "first_name": "Bo\nB"}


def test_a_reply_quotes_what_it_answers(connected: Any) -> None:
    (message,) = only(connected, {"text": "why?", "reply_to_message": reply_to("x" * 5000, BO)})
    quote, text = message.parts
    assert isinstance(quote, Text) and quote.trust is Trust.UNTRUSTED
    assert quote.text == "[Reply to Bo B: " + "x" * 4000 + "]"
    assert isinstance(text, Text) and text.text == "why?" and text.trust is Trust.TRUSTED
    assert message.reply_to == "40"


def test_a_part_that_was_quoted_by_hand_is_what_counts(connected: Any) -> None:
    (message,) = only(
        connected,
        {
            "text": "why?",
            "reply_to_message": reply_to("all of it", BO),
            "quote": {"text": "of", "position": 4},
        },
    )
    assert text_of(message.parts[:1]) == "[Reply to Bo B: of]"


def test_a_command_in_a_reply_stays_first(connected: Any) -> None:
    (message,) = only(connected, {"text": "/help", "reply_to_message": reply_to("earlier", BO)})
    assert text_of(message.parts) == "/help"


def test_what_is_forwarded_is_no_command_and_not_trusted(connected: Any) -> None:
    origin = {"type": "user", "date": 1, "sender_user": BO}
    (message,) = only(connected, {"text": "/restart", "forward_origin": origin})
    (part,) = message.parts
    assert isinstance(part, Text) and part.trust is Trust.UNTRUSTED
    assert part.text == "[Forwarded from Bo B]\n/restart"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"location": {"latitude": 1.5, "longitude": 2.5}}, "[location: 1.5, 2.5]"),
        (
            {"contact": {"first_name": "Cy", "phone_number": "+49 1"}},
            "[contact: Cy, +49 1]",
        ),
        ({"dice": {"emoji": "🎲", "value": 4}}, "[dice: 🎲 4]"),
        (
            {"text": "click here", "entities": [entity("text_link", 6, 4, url="https://a.b/c")]},
            "click here\n[links: https://a.b/c]",
        ),
    ],
)
def test_other_content_comes_in_as_words(connected: Any, fields: dict[str, Any], text: str) -> None:
    (message,) = only(connected, fields)
    assert text_of(message.parts) == text


def test_service_messages_are_no_messages(connected: Any) -> None:
    assert not only(
        connected,
        {"group": True, "new_chat_title": "New"},
        {"group": True, "new_chat_members": [BO]},
        {"group": True, "forum_topic_created": {"name": "T", "icon_color": 1}},
    )


# --- edits and presses ----------------------------------------------------------------------------


def test_ids_of_different_events_never_collide(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> list[str]:
        message = await server.write(text="one")
        edited = {**message, "edit_date": 1767323050}
        await server.update(edited_message={**edited, "text": "two"})
        await server.update(edited_message={**edited, "text": "three"})
        await server.press(message["message_id"], "0.0:four")
        return [m.id for m in await host.until(4)]

    ids = connected(work, editedMessages=True)
    assert len(set(ids)) == 4
    assert all(each.split(":")[0] == ids[0] for each in ids)


def test_edits_are_only_taken_when_asked_for(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        message = await server.write(text="one")
        await host.until(1)
        await server.update(edited_message={**message, "text": "two"})
        await server.write(text="three")
        seen = await host.until(2)
        assert [text_of(m.parts) for m in seen] == ["one", "three"]

    connected(work)


def test_a_live_location_that_moves_is_no_message(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        message = await server.write(location={"latitude": 1.0, "longitude": 2.0})
        moved = {"location": {"latitude": 1.1, "longitude": 2.0}, "edit_date": 1767323050}
        await server.update(edited_message={**message, **moved})
        await server.write(text="three")
        await server.confirmed()
        assert len(host.messages) == 2

    connected(work, editedMessages=True)


def test_a_press_is_a_message_of_who_pressed(connected: Any, out: Any) -> None:
    label = "Ja, 世界! " * 12

    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("Sure?", buttons=((label, "No"),)))
        (call,) = await server.called("sendMessage")
        (row,) = call.data["reply_markup"]["inline_keyboard"]
        assert all(len(button["callback_data"].encode()) <= 64 for button in row)
        await server.press(int(sent), row[0]["callback_data"], user="u2")
        (press,) = await host.until(1)
        assert press.sender == "1002" and press.chat == "1001" and press.mentioned
        assert text_of(press.parts) == label
        assert press.reply_to == sent
        await server.called("answerCallbackQuery")
        await server.called("editMessageReplyMarkup")

    connected(work)


def test_a_press_is_answered_only_once_it_is_stored(connected: Any, held_clock: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        host.storage_fails = 1
        message = await server.write(text="x")
        _, woken = await held_clock.asleep()
        woken.set()
        await host.until(1)
        host.storage_fails = 1
        await server.press(message["message_id"], "0.0:Yes")
        _, woken = await held_clock.asleep()
        assert "answerCallbackQuery" not in [call.method for call in server.calls]
        woken.set()
        await host.until(2)
        await server.called("answerCallbackQuery")

    connected(work, context={"clock": held_clock})


def test_a_press_on_a_message_that_is_gone_says_what_its_data_says(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        message = await server.write(text="x")
        await host.until(1)
        await server.press(message["message_id"], "0.1:No: never", inaccessible=True)
        assert text_of((await host.until(2))[1].parts) == "No: never"

    connected(work)


def test_who_is_denied_leaves_the_buttons_to_others(connected: Any) -> None:
    done = asyncio.Event()

    async def deny(message: Incoming) -> Accepted:
        return Accepted(verdict=Verdict.DENIED)

    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.press(server.message(text="x")["message_id"], "0.0:Yes")
        await server.called("answerCallbackQuery")
        await server.confirmed()
        done.set()
        assert "editMessageReplyMarkup" not in [call.method for call in server.calls]

    connected(work, context={"accept": deny})
    assert done.is_set()
