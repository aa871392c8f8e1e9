"""Events of the platform as messages for the gateway."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from Crypto.Cipher import AES
from nanobot.errors import StorageError
from nanobot.messages import File, Image, Text, Trust, text_of
from nanobot_channel_feishu.content import Foreign, read
from nanobot_gateway.channel import Accepted, Incoming, Verdict
from nanobot_testing.contracts.channel import Host

Live = Callable[..., Any]

CORPUS = json.loads((Path(__file__).parent / "corpora" / "media_names.json").read_text())["items"]


def mention(n: int, id: str, name: str) -> dict[str, Any]:
    ids = {"open_id": id, "union_id": f"on_{id}", "user_id": ""}
    return {"key": f"@_user_{n}", "id": ids, "name": name, "tenant_key": "tenant"}


class Addressed(Host):
    """Lets in who writes to the agent, and nobody who talks to others."""

    def admits(self, message: Incoming) -> bool:
        return message.direct or message.mentioned


class Answering(Host):
    """Says of every message that the same became of it."""

    def __init__(self, verdict: Verdict) -> None:
        super().__init__()
        self.verdict = verdict

    async def accept(self, message: Incoming) -> Accepted:
        await super().accept(message)
        return Accepted(verdict=self.verdict)


class Gate(Host):
    """Keeps messages waiting until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def accept(self, message: Incoming) -> Accepted:
        self.reached.set()
        await self.open.wait()
        return await super().accept(message)


# --- acknowledging --------------------------------------------------------------------------------


def test_an_event_is_acknowledged_once_it_is_stored(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Gate) -> None:
        await server.say("hello")
        await host.reached.wait()
        await server.push({"schema": "2.0", "header": {"event_type": "im.chat.updated_v1"}})
        await server.until(lambda: len(server.acks) == 1)  # of the other event
        message, other = server.frames
        assert server.acks == [(other, 200)]
        host.open.set()
        await server.until(lambda: len(server.acks) == 2)
        assert server.acks[1] == (message, 200)

    live(work, host=Gate())


def test_what_can_not_be_stored_is_delivered_again(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        host.storage_fails = 2
        await server.say("precious")
        (message,) = await host.until(1)
        await server.until(lambda: len(server.acks) == 3)
        assert [code for _, code in server.acks] == [500, 500, 200]
        assert text_of(message.parts) == "precious"

    live(work)


def test_a_message_that_comes_again_while_it_is_worked_on_is_one_message(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Gate) -> None:
        await server.say("once")
        await host.reached.wait()
        await server.push(server.last_event)
        await server.push({"schema": "2.0", "header": {"event_type": "im.chat.updated_v1"}})
        await server.until(lambda: len(server.acks) == 1)  # the second delivery is at work too
        host.open.set()
        await server.until(lambda: len(server.acks) == 3)
        assert [m.id for m in host.messages] == ["om_1"]

    live(work, host=Gate())


def test_messages_of_a_chat_keep_their_order_past_a_slow_download(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["slow"] = b"%PDF-1.7"
        server.held["/im/v1/messages/om_1/resources/slow"] = held = asyncio.Event()
        await server.write("file", {"file_key": "slow", "file_name": "a.pdf"})
        await server.until(lambda: bool(server.called("GET", "/im/v1/messages/om_1/resources")))
        await server.say("what is this?")
        await server.push({"schema": "2.0", "header": {"event_type": "im.chat.updated_v1"}})
        await server.until(lambda: len(server.acks) == 1)
        assert not host.messages
        held.set()
        first, second = await host.until(2)
        assert isinstance(first.parts[0], File)
        assert text_of(second.parts) == "what is this?"

    live(work)


def test_an_event_in_several_frames_is_one_event(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.say("first")
        await host.until(1)
        event = json.loads(json.dumps(server.last_event).replace("om_1", "om_9"))
        event["event"]["message"]["content"] = json.dumps({"text": "long " * 400})
        await server.push(event, pieces=3)
        _, message = await host.until(2)
        assert text_of(message.parts) == ("long " * 400).strip()

    live(work)


def test_events_that_say_nothing_are_acknowledged(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.happen("im.message.message_read_v1", {"reader": {}})
        await server.happen("im.message.reaction.created_v1", {"message_id": "om_1"})
        await server.happen("im.chat.member.bot.added_v1", {"chat_id": "oc_1"})
        bot = {"sender_type": "app", "sender_id": {"open_id": "ou_other"}}
        message = {"message_id": "om_b", "chat_id": "oc_1", "chat_type": "group"}
        await server.happen("im.message.receive_v1", {"sender": bot, "message": message})
        await server.push(b"no json at all")
        await server.until(lambda: len(server.acks) == 5)
        assert {code for _, code in server.acks} == {200}
        assert not host.messages

    live(work)


def test_the_connection_is_kept_alive_with_pings(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.until(lambda: server.pings == 1)

    live(work)


# --- who and where --------------------------------------------------------------------------------


def test_a_direct_message(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        id = await server.write("text", {"text": "hello"}, user="ann")
        (message,) = await host.until(1)
        assert message.id == id and message.sender == message.chat == "ou_ann"
        assert message.aliases == ("on_ann", "ann")
        assert message.direct and not message.mentioned and not message.thread
        assert message.places == ("tenant",)
        assert message.sent_at == datetime.fromtimestamp(1767323045, UTC)

    live(work)


def test_only_a_mention_of_the_bot_is_one(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        bot, tom = mention(1, feishu.BOT, "Nanobot"), mention(2, "ou_tom", "Tom")
        text = {"text": "@_user_1  ask @_user_2, not @_user_20 or @_user_1!"}
        await server.write("text", text, chat="oc_g", mentions=[bot, tom])
        await server.write("text", {"text": "@_user_2 hi"}, chat="oc_g", mentions=[tom])
        await server.write("text", {"text": "@_all hi"}, chat="oc_g", mentions=[])
        await server.write("text", {"text": "@_user_1 typed"}, chat="oc_g")
        named, other, everybody, typed = await host.until(4)
        assert named.mentioned and not named.direct and named.chat == "oc_g"
        assert text_of(named.parts) == "ask @Tom, not @_user_20 or @Nanobot!"
        assert not other.mentioned and text_of(other.parts) == "@Tom hi"
        assert not everybody.mentioned and text_of(everybody.parts) == "@all hi"
        assert not typed.mentioned and text_of(typed.parts) == "@_user_1 typed"

    live(work)


def test_a_mention_of_everybody_counts_where_that_is_wanted(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.write("text", {"text": "@_all hi"}, chat="oc_g")
        at_all = {"content": [[{"tag": "at", "user_id": "@_all"}, {"tag": "text", "text": " hi"}]]}
        await server.write("post", at_all, chat="oc_g")
        await server.write("text", {"text": "mail to x@_all_staff"}, chat="oc_g")
        assert [m.mentioned for m in await host.until(3)] == [True, True, False]

    live(work, mentionAll=True)


def test_a_topic_is_named_by_its_first_message(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        first = await server.write("text", {"text": "a"}, chat="oc_g", thread_id="omt_1")
        await server.write(
            "text", {"text": "b"}, chat="oc_g", thread_id="omt_1", root_id=first, parent_id=first
        )
        await server.write("text", {"text": "c"}, chat="oc_g")
        await server.write("text", {"text": "d"}, chat="oc_g", root_id=first, parent_id=first)
        begin, inside, outside, quoting = await host.until(4)
        assert begin.thread == inside.thread == first
        assert not outside.thread and not quoting.thread
        assert {m.session for m in host.messages} == {""}

    live(work)


def test_where_answers_open_topics_the_question_is_in_it(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        id = await server.write("text", {"text": "a"}, chat="oc_g")
        await server.say("direct")
        group, direct = await host.until(2)
        assert group.thread == id and not direct.thread

    live(work, replyToMessage=True)


def test_topics_can_share_the_session_of_their_group(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.write("text", {"text": "a"}, chat="oc_g", thread_id="omt_1")
        await server.write("text", {"text": "b"}, chat="oc_g")
        assert [m.session for m in await host.until(2)] == ["oc_g", "oc_g"]

    live(work, topicIsolation=False)


def test_a_reply_to_the_bot_addresses_it_and_quotes(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.messages["om_bot"] = feishu.Message(
            "om_bot", "oc_g", "text", json.dumps({"text": "word " * 100})
        )
        server.messages["om_ann"] = feishu.Message(
            "om_ann", "oc_g", "text", json.dumps({"text": "said Ann"}), sender="ou_ann"
        )
        await server.write("text", {"text": "why?"}, chat="oc_g", parent_id="om_bot")
        await server.write("text", {"text": "ok"}, chat="oc_g", parent_id="om_ann")
        await server.write("text", {"text": "gone"}, chat="oc_g", parent_id="om_gone")
        to_bot, to_ann, to_gone = await host.until(3)
        assert to_bot.mentioned and to_bot.reply_to == "om_bot"
        said, quote = to_bot.parts
        assert isinstance(said, Text) and said.text == "why?" and said.trust is Trust.TRUSTED
        assert isinstance(quote, Text) and quote.trust is Trust.UNTRUSTED
        assert quote.text.startswith("[Reply to: word word") and len(quote.text) < 220
        assert not to_ann.mentioned and "said Ann" in text_of(to_ann.parts)
        assert not to_gone.mentioned and text_of(to_gone.parts) == "gone"

    live(work)


# --- files ----------------------------------------------------------------------------------------


def test_pictures_and_files_come_along(live: Live, feishu: ModuleType, tmp_path: Path) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files = {"img": feishu.PNG, "pdf": b"%PDF-1.7 x", "opus": b"OggS\0\2"}
        await server.write("image", {"image_key": "img"})
        await server.write("file", {"file_key": "pdf", "file_name": "../../report.pdf"})
        await server.write("audio", {"file_key": "opus", "duration": 2000})
        image, file, audio = (m.parts[0] for m in await host.until(3))
        assert isinstance(image, Image) and image.data == feishu.PNG
        assert image.media_type == "image/png"
        assert isinstance(file, File) and file.name == "report.pdf"
        path = Path(file.path)
        assert path.parent == tmp_path / "media" and path.read_bytes() == b"%PDF-1.7 x"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert isinstance(audio, File) and audio.path.endswith(".ogg")
        kinds = [c.query["type"] for c in server.calls if "/resources/" in c.path]
        assert kinds == ["image", "file", "file"]

    live(work)


def test_what_can_not_be_downloaded_is_mentioned(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["big"] = b"x" * 1_000_001
        await server.write("file", {"file_key": "big", "file_name": "big.bin"})
        await server.write("file", {"file_key": "no", "file_name": "no.bin"})
        big, missing = await host.until(2)
        assert "big.bin" in text_of(big.parts) and "1 MB" in text_of(big.parts)
        assert "no.bin" in text_of(missing.parts)

    live(work, mediaMaxMb=1)


def test_files_in_talk_among_others_are_left_alone(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.write("image", {"image_key": "img"}, chat="oc_g")
        (message,) = await host.until(1)
        assert text_of(message.parts) == "[image]"
        assert not [c for c in server.calls if "/resources/" in c.path]

    live(work, host=Addressed())


def test_no_file_of_a_stranger_is_asked_for(live: Live, tmp_path: Path) -> None:
    """Nor what he forwards; that he wrote comes in."""
    host = Host(strangers={"ou_u1"})

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["pdf"] = b"%PDF-1.7 x"
        await server.write("file", {"file_key": "pdf", "file_name": "a.pdf"})
        (message,) = await host.until(1)
        assert (message.sender, text_of(message.parts)) == ("ou_u1", "[file]")
        assert not [c for c in server.calls if "/resources/" in c.path]
        assert not list((tmp_path / "media").iterdir())

    live(work, host=host)


@pytest.mark.parametrize("verdict", [Verdict.DENIED, Verdict.DUPLICATE])
def test_files_of_a_message_that_leads_to_nothing_are_removed(
    live: Live, tmp_path: Path, verdict: Verdict
) -> None:
    host = Answering(verdict)

    async def work(channel: Any, server: Any, host: Any) -> None:
        server.files["pdf"] = b"%PDF-1.7 x"
        await server.write("file", {"file_key": "pdf", "file_name": "a.pdf"})
        await host.until(1)
        await server.write("text", {"text": "after"})  # is handed over once all of that is done
        first, _ = await host.until(2)
        assert isinstance(first.parts[0], File)
        assert not list((tmp_path / "media").iterdir())

    live(work, host=host)


@pytest.mark.parametrize("row", CORPUS, ids=lambda row: str(row["id"]))
def test_a_name_never_becomes_a_path(live: Live, tmp_path: Path, row: dict[str, str]) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["key"] = b"#!/bin/sh\n"
        await server.write("file", {"file_key": "key", "file_name": row["input"]})
        (message,) = await host.until(1)
        (stored,) = (tmp_path / "media").iterdir()
        assert isinstance(message.parts[0], File) and message.parts[0].path == str(stored)
        assert stored.suffix == ".txt" and len(stored.stem) == 32
        assert stat.S_IMODE(stored.stat().st_mode) == 0o600
        name = message.parts[0].name
        assert name.isprintable() and "/" not in name

    live(work)


# --- kinds of messages ----------------------------------------------------------------------------


def test_rich_text(live: Live, feishu: ModuleType) -> None:
    paragraphs = [
        [
            {"tag": "at", "user_id": "@_user_1", "user_name": "Nanobot"},
            {"tag": "text", "text": " look at "},
            {"tag": "a", "text": "this", "href": "https://x.test/"},
            {"tag": "emotion", "emoji_type": "SMILE"},
        ],
        [{"tag": "code_block", "language": "PYTHON", "text": "print(1)\n"}],
        [{"tag": "img", "image_key": "img"}, {"tag": "hr"}],
    ]

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["img"] = feishu.PNG
        bot = [mention(1, feishu.BOT, "Nanobot")]
        bare = {"title": "", "content": paragraphs}
        await server.write("post", bare, chat="oc_g", mentions=bot)
        await server.write("post", {"zh_cn": {**bare, "title": "T"}})
        await server.write("post", {"post": {"en_us": bare}})
        first, *others = await host.until(3)
        said, image = first.parts
        assert first.mentioned and isinstance(image, Image)
        assert text_of((said,)) == (
            "look at [this](https://x.test/):SMILE:\n\n```python\nprint(1)\n```\n\n---"
        )
        for other in others:
            assert "look at [this]" in text_of(other.parts)
        assert text_of(others[0].parts).startswith("T\n")

    live(work)


CARD = {
    "header": {"title": {"tag": "plain_text", "content": "Build"}},
    "elements": [
        {"tag": "div", "text": {"tag": "lark_md", "content": "**failed**"}},
        {
            "tag": "action",
            "actions": [
                {
                    "tag": "button",
                    "text": {"tag": "plain_text", "content": "Log"},
                    "url": "https://ci.test/1",
                }
            ],
        },
        {
            "tag": "table",
            "columns": [{"name": "a", "display_name": "Step"}, {"name": "b"}],
            "rows": [{"a": "lint", "b": 3}],
        },
        {"tag": "img", "img_key": "x"},
    ],
}


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [
        (
            "interactive",
            CARD,
            "Build\n**failed**\n[Log](https://ci.test/1)\nStep | b\nlint | 3\n[image]",
        ),
        ("interactive", {"user_dsl": json.dumps(CARD)}, "Build\n**failed**"),
        (
            "interactive",
            {
                "title": "T",
                "elements": [[{"tag": "text", "text": "a "}, {"tag": "text", "text": "b"}]],
            },
            "T\na b",
        ),
        ("interactive", {}, "[card]"),
        ("sticker", {"file_key": "x"}, "[sticker]"),
        ("share_chat", {"chat_id": "oc_1"}, "[shared chat: oc_1]"),
        ("share_user", {"user_id": "ou_1"}, "[shared contact: ou_1]"),
        ("share_calendar_event", {"summary": "Standup"}, "[calendar event: Standup]"),
        ("location", {"name": "Home", "latitude": "1.5"}, "[location: Home, 1.5]"),
        ("vote", {"topic": "Lunch", "options": ["a", "b"]}, "[poll: Lunch, a / b]"),
        (
            "todo",
            {"summary": {"title": "Do", "content": [[{"tag": "text", "text": "it"}]]}},
            "[task: Do\nit]",
        ),
        (
            "system",
            {
                "template": "{from_user} invited {to_chatters}",
                "from_user": ["A"],
                "to_chatters": ["B", "C"],
            },
            "[system message: A invited B / C]",
        ),
        ("something_new", {"x": 1}, "[message of kind something_new]"),
        ("", None, "[message of kind unknown]"),
    ],
)
def test_other_kinds_are_told_in_words(kind: str, content: object, expected: str) -> None:
    (item,) = read(kind, json.dumps(content))
    assert isinstance(item, Foreign) and item.text.startswith(expected)


@pytest.mark.parametrize("raw", [None, "", "{", "[]", '"x"', '{"text": 5}', '{"content": 5}'])
@pytest.mark.parametrize("kind", ["text", "post", "image", "file", "interactive", "todo", "vote"])
def test_content_of_another_shape_is_survived(kind: str, raw: object) -> None:
    assert isinstance(read(kind, raw), list)


def test_forwarded_messages_are_read(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.users["ou_tom"] = "Tom"
        for id, who, text in (("om_a", "ou_tom", "one"), ("om_b", "ou_eve", "two")):
            server.messages[id] = feishu.Message(
                id, "oc_x", "text", json.dumps({"text": text}), sender=who, upper="om_1"
            )
        await server.write("merge_forward", "Merged and Forwarded Message")
        (message,) = await host.until(1)
        (part,) = message.parts
        assert isinstance(part, Text) and part.trust is Trust.UNTRUSTED
        assert part.text == "[forwarded messages]\nTom: one\nou_eve: two"

    live(work)


def test_a_command_stays_a_command(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        bot = [mention(1, feishu.BOT, "Nanobot")]
        await server.write("text", {"text": "@_user_1 /goal a\nb"}, chat="oc_g", mentions=bot)
        (message,) = await host.until(1)
        assert text_of(message.parts) == "/goal a\nb"

    live(work)


# --- encrypted and forged events ------------------------------------------------------------------


def encrypted(event: object, key: str) -> dict[str, str]:
    data = json.dumps(event).encode()
    data += bytes([16 - len(data) % 16]) * (16 - len(data) % 16)
    cipher = AES.new(hashlib.sha256(key.encode()).digest(), AES.MODE_CBC, b"i" * 16)
    return {"encrypt": base64.b64encode(b"i" * 16 + cipher.encrypt(data)).decode()}


def test_encrypted_events_are_read_with_the_key(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.say("plain")
        await host.until(1)
        event = json.loads(json.dumps(server.last_event).replace("om_1", "om_9"))
        await server.push(encrypted(event, "the-key"))
        assert [m.id for m in await host.until(2)] == ["om_1", "om_9"]
        await server.push(encrypted(event, "another-key"))
        await server.until(lambda: len(server.acks) >= 3)
        assert server.acks[2][1] == 500

    live(work, encryptKey="the-key")


def test_events_with_another_token_are_refused(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.happen("im.message.receive_v1", {}, token="forged")
        await server.until(lambda: len(server.acks) >= 1)
        assert server.acks[0][1] == 500
        await server.happen("im.message.message_read_v1", {}, token="of-the-app")
        await server.until(lambda: server.acks[-1][1] == 200)

    live(work, verificationToken="of-the-app")


def test_storage_errors_are_no_crash(live: Live) -> None:
    class Broken(Host):
        async def accept(self, message: Incoming) -> Accepted:
            raise StorageError("no space")

    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.say("never")
        await server.until(lambda: len(server.acks) == 4)
        assert {code for _, code in server.acks} == {500}
        assert server.connections == 1

    live(work, host=Broken())
