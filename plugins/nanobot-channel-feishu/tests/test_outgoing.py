"""Messages for the platform: their form, their way, their files, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from nanobot.config import Secret
from nanobot.context import SystemClock
from nanobot.messages import Target, text_of
from nanobot_channel_feishu import render
from nanobot_channel_feishu.api import Api
from nanobot_channel_feishu.faults import ApiError
from nanobot_gateway.channel import DeliveryError, Outgoing
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host

Live = Callable[..., Any]


def out(text: str, n: int = 1, *, chat: str = "ou_u1", thread: str = "", **more: Any) -> Outgoing:
    target = Target(channel="feishu", chat=chat, thread=thread)
    return Outgoing(id=f"out-{n}", target=target, text=text, **more)


# --- form -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("markdown", "kind"),
    [
        ("Hello there.", "text"),
        ("a * b * c, 2_3_4 and x|y", "text"),
        ("See [this](https://x.test/a).", "post"),
        ("word " * 60, "post"),
        ("word " * 500, "interactive"),
        ("**bold**", "interactive"),
        ("*slanted* word", "interactive"),
        ("# Title", "interactive"),
        ("- one\n- two", "interactive"),
        ("1. one", "interactive"),
        ("```\ncode\n```", "interactive"),
        ("some `code` here", "interactive"),
        ("> said", "interactive"),
        ("| a | b |\n|---|---|\n| 1 | 2 |", "interactive"),
    ],
)
def test_the_form_follows_from_the_text(markdown: str, kind: str) -> None:
    assert [body.kind for body in render.messages(markdown)] == [kind]


def test_rich_text_holds_lines_and_links() -> None:
    (body,) = render.messages("one [this](https://x.test/a) two\n\nthree" + " " * 200)
    lines = json.loads(body.content)["zh_cn"]["content"]
    assert lines[0] == [
        {"tag": "text", "text": "one "},
        {"tag": "a", "text": "this", "href": "https://x.test/a"},
        {"tag": "text", "text": " two"},
    ]
    assert lines[1] == [{"tag": "text", "text": ""}]


ANSWER = """# Result: **good**

Some *text*.

```md
# no heading
| no | table |
|----|-------|
![no](picture)
```

| Name | [Link](https://x.test/) |
|:-----|:-----:|
| **a** | `x\\|y` |
| b |

After ![plot](https://x.test/p.png)"""


def test_a_card_has_headings_code_and_tables() -> None:
    (card,) = render.cards(ANSWER)
    heading, text, table, after = card["body"]["elements"]
    assert card["schema"] == "2.0" and card["config"]["update_multi"] is True
    assert heading["text"] == {"tag": "lark_md", "content": "**Result: good**"}
    assert text["tag"] == "markdown" and "# no heading" in text["content"]
    assert "![no](picture)" in text["content"] and text["content"].endswith("```")
    assert [c["display_name"] for c in table["columns"]] == ["Name", "Link (https://x.test/)"]
    assert table["rows"] == [{"c0": "a", "c1": "x|y"}, {"c0": "b", "c1": ""}]
    assert after["content"] == "After [plot](https://x.test/p.png)"


def test_every_table_has_a_card_of_its_own(live: Live) -> None:
    table = "| a |\n|---|\n| 1 |\n"

    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out(f"one\n\n{table}\ntwo\n\n{table}\nthree"))
        first, second = server.sent
        assert sent == first.id
        assert [e["tag"] for e in first.data["body"]["elements"]] == [
            "markdown",
            "table",
            "markdown",
        ]
        assert [e["tag"] for e in second.data["body"]["elements"]] == ["table", "markdown"]

    live(work)


@pytest.mark.parametrize(
    "call", ['<at user_id="all">everyone</at>', "<at id=all></at>", "<AT user_id='all'/>"]
)
@pytest.mark.parametrize("around", ["{}", "**x** {}", "[l](https://x.test/) {}"])
def test_nobody_can_make_the_bot_call_everybody(call: str, around: str) -> None:
    (body,) = render.messages(around.format(call))
    assert "@all" in body.content and "<at" not in body.content.lower()


def test_what_no_card_can_show_is_sent_as_text(live: Live, feishu: ModuleType) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.refusals.append(feishu.Refusal("/im/v1/messages", 230099, "card refused"))
        await channel.send(out("**bold**"))
        await channel.send(out("**long** " + '"' * 20_000, 2))
        assert [m.kind for m in server.sent] == ["text", "text"]
        assert server.sent[0].data == {"text": "**bold**"}
        assert len(server.sent[1].data["text"]) == 20_009

    live(work)


def test_buttons_can_be_pressed(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await channel.send(out("Sure?", chat="oc_g", thread="om_t", buttons=(("yes", "no"),)))
        (message,) = server.sent
        (row,) = [e for e in message.data["body"]["elements"] if e["tag"] == "column_set"]
        buttons = [column["elements"][0] for column in row["columns"]]
        assert [b["text"]["content"] for b in buttons] == ["yes", "no"]
        await server.happen(
            "card.action.trigger",
            {
                "operator": {"open_id": "ou_ann", "union_id": "on_ann"},
                "action": {"tag": "button", "value": buttons[1]["behaviors"][0]["value"]},
                "context": {"open_message_id": message.id, "open_chat_id": "oc_g"},
            },
            event_id="ev_press",
        )
        (pressed,) = await host.until(1)
        assert text_of(pressed.parts) == "no" and pressed.id == "ev_press"
        assert (pressed.sender, pressed.chat, pressed.thread) == ("ou_ann", "oc_g", "om_t")
        assert pressed.mentioned and not pressed.direct and pressed.reply_to == message.id
        await server.happen("card.action.trigger", {"action": {"value": {"other": 1}}})
        await server.until(lambda: len(server.acks) == 2)
        assert len(host.messages) == 1

    live(work)


# --- way ------------------------------------------------------------------------------------------


def test_the_same_message_twice_is_one(live: Live, tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("x")

    async def work(channel: Any, server: Any, host: Host) -> None:
        one = await channel.send(out("hello", files=(file,)))
        assert await channel.send(out("hello", files=(file,))) == one
        assert len(server.sent) == 2
        await channel.send(out("hello", 2))
        assert len(server.sent) == 3

    live(work)


@pytest.mark.parametrize(
    ("chat", "kind"), [("ou_u1", "open_id"), ("oc_g", "chat_id"), ("on_u1", "union_id")]
)
def test_a_chat_is_named_by_its_kind(live: Live, chat: str, kind: str) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await channel.send(out("hello", chat=chat))
        assert server.calls[-1].query == {"receive_id_type": kind}
        assert server.calls[-1].json["receive_id"] == chat

    live(work)


def test_answers_in_a_topic_stay_in_it(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        root = await server.write("text", {"text": "a"}, chat="oc_g", thread_id="omt_1")
        second = await server.write("text", {"text": "b"}, chat="oc_g", thread_id="omt_1")
        await channel.send(out("1", 1, chat="oc_g", thread=root))
        await channel.send(out("2", 2, chat="oc_g", thread=root, answers=second))
        await channel.send(out("3", 3, chat="oc_g", thread=root, answers="om_recalled"))
        await channel.send(out("4", 4, chat="oc_g", thread="om_gone", answers="ev_1"))
        assert [m.reply_to for m in server.sent] == [root, second, root, ""]
        assert [m.in_thread for m in server.sent] == [True, True, True, False]

    live(work)


def test_answers_are_replies_only_where_that_is_wanted(live: Live) -> None:
    async def ask(channel: Any, server: Any, host: Host) -> None:
        id = await server.write("text", {"text": "a"})
        await channel.send(out("1", answers=id))
        assert server.sent[0].reply_to == (id if wanted else "")
        assert not server.sent[0].in_thread

    for wanted in (False, True):
        live(ask, replyToMessage=wanted)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "as_type"),
    [
        ("a.png", "image", b""),
        ("a.opus", "audio", b"opus"),
        ("a.mp4", "media", b"mp4"),
        ("Bericht ü.pdf", "file", b"pdf"),
        ("a.xlsx", "file", b"xls"),
        ("a.py", "file", b"stream"),
    ],
)
def test_files_are_uploaded(
    live: Live, tmp_path: Path, name: str, kind: str, as_type: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(b"content of it")

    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("", files=(path,)))
        (message,) = server.sent
        assert message.id == sent and message.kind == kind
        (form,) = server.uploads.values()
        assert form.get("file_type", b"") == as_type
        assert form["image" if kind == "image" else "file"] == b"content of it"
        if as_type:
            assert form["file_name"].decode() == name

    live(work)


def test_files_that_can_not_be_sent_are_named(live: Live, tmp_path: Path) -> None:
    good, empty, large = tmp_path / "good.txt", tmp_path / "empty.txt", tmp_path / "large.bin"
    good.write_text("x")
    empty.write_text("")
    with large.open("wb") as file:
        file.truncate(30_000_001)

    async def work(channel: Any, server: Any, host: Host) -> None:
        await channel.send(out("Here.", files=(tmp_path / "no.txt", empty, large, good)))
        text, file = server.sent
        assert file.kind == "file" and len(server.uploads) == 1
        said = server.text_of(text)
        assert said.startswith("Here.")
        for name in ("no.txt", "empty.txt", "large.bin"):
            assert f"{name} is not attached" in said
        assert "good.txt" not in said

    live(work)


# --- refusals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "retryable"),
    [
        (99991400, 400, True),
        (230020, 400, True),
        (11232, 400, True),
        (0, 429, True),
        (2200, 500, True),
        (0, 502, True),
        (230002, 400, False),
        (230013, 400, False),
        (99992351, 400, False),
        (230028, 400, False),
        (0, 404, False),
    ],
)
def test_refusals_say_whether_to_try_again(
    live: Live, feishu: ModuleType, code: int, status: int, retryable: bool
) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        headers = {"x-ogw-ratelimit-reset": "12"}
        server.refusals.append(
            feishu.Refusal("/im/v1/messages", code or None, "no", status, headers)
        )
        with pytest.raises(DeliveryError) as caught:
            await channel.send(out("hello"))
        assert caught.value.retryable is retryable
        assert caught.value.retry_after == 12.0
        assert str(code or status) in caught.value.message
        if code in (230002, 230013):
            assert caught.value.remedy
        await channel.send(out("hello"))

    live(work)


def test_an_expired_token_is_renewed(live: Live) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.tokens.clear()
        await channel.send(out("hello"))
        assert len(server.sent) == 1 and len(server.tokens) == 1
        server.files["pdf"] = b"%PDF-"
        server.tokens.clear()
        await server.write("file", {"file_key": "pdf", "file_name": "a.pdf"})
        (message,) = await host.until(1)
        assert ".pdf" in text_of(message.parts) and "could not" not in text_of(message.parts)

    live(work)


def test_a_server_that_is_away_is_tried_again(tmp_path: Path) -> None:
    async def work() -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as http:
            api = Api(http, "cli_x", Secret("hidden-secret"), SystemClock())
            with pytest.raises(ApiError) as caught:
                await api.call("GET", "/bot/v3/info")
            error = caught.value.delivery()
            assert error.retryable and "hidden-secret" not in str(error)

    run(work())
