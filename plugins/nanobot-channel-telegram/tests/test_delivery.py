"""What goes out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Target
from nanobot_gateway.channel import DeliveryError
from nanobot_testing import run
from nanobot_testing.contracts.channel import Host


def sending(
    connected: Any, *messages: Any, method: str = "sendMessage", **config: Any
) -> list[Any]:
    """Send some messages, and return the calls of a method that it took."""

    async def work(channel: Any, server: Any, host: Host) -> list[Any]:
        for message in messages:
            await channel.send(message)
        return [call for call in server.calls if call.method == method]

    return list(connected(work, **config))


# --- text -----------------------------------------------------------------------------------------


def test_markdown_goes_out_as_html(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("**a** < `b`"))
    assert (call.data["text"], call.data["parse_mode"]) == ("<b>a</b> &lt; <code>b</code>", "HTML")
    assert "message_thread_id" not in call.data and "reply_parameters" not in call.data


def test_plain_text_is_tried_once_when_html_is_refused(connected: Any, out: Any, api: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("sendMessage", api.Refused(400, "Bad Request: can't parse entities: ..."))
        await channel.send(out("**a**"))
        _, plain = await server.tried("sendMessage", 2)
        assert plain.data["text"] == "**a**" and "parse_mode" not in plain.data
        for _ in range(2):
            server.fail("sendMessage", api.Refused(400, "Bad Request: can't parse entities: ..."))
        with pytest.raises(DeliveryError) as caught:
            await channel.send(out("**b**", id="out-2"))
        assert not caught.value.retryable
        assert len(await server.tried("sendMessage", 4)) == 4

    connected(work)


def test_another_refusal_is_not_tried_again(connected: Any, out: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        with pytest.raises(DeliveryError) as caught:
            await channel.send(out("a", chat="999"))
        assert not caught.value.retryable and "Chat not found" in caught.value.message
        assert len(await server.tried("sendMessage")) == 1

    connected(work)


def test_the_limit_is_counted_in_what_is_shown(connected: Any, out: Any) -> None:
    text = "**ab** " * 585  # 4095 units written, fewer shown, far more with its tags
    (call,) = sending(connected, out(text))
    assert call.data["parse_mode"] == "HTML" and len(call.data["text"]) > 4096


def test_a_table_that_grows_too_long_goes_out_as_written(connected: Any, out: Any) -> None:
    rows = "".join(f"| {n} | x |\n" for n in range(200))
    text = f"| {'wide' * 30} | b |\n|---|---|\n{rows}"
    (call,) = sending(connected, out(text))
    assert call.data["text"] == text and "parse_mode" not in call.data


def test_text_that_renders_to_nothing_goes_out_as_written(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("```\n```"))
    assert call.data["shown"] == "```\n```"


def test_a_broken_character_does_not_stop_a_message(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("a\ud83d"))
    assert call.data["shown"] == "a\ufffd"


def test_topics_and_replies(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("a", chat="-100500", thread="5", reply_to="40"))
    assert call.data["message_thread_id"] == 5
    reply = call.data["reply_parameters"]
    assert reply["message_id"] == 40 and reply["allow_sending_without_reply"] is True


@pytest.mark.parametrize("answers", ["40", "40:press:q77", "40:album:42"])
def test_answers_quote_their_question_if_wanted(connected: Any, out: Any, answers: str) -> None:
    (call,) = sending(connected, out("a", answers=answers), replyToMessage=True)
    assert call.data["reply_parameters"]["message_id"] == 40


def test_a_message_to_nothing_in_particular_quotes_nothing(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("a", answers="cron-7"), replyToMessage=True)
    assert "reply_parameters" not in call.data


# --- buttons --------------------------------------------------------------------------------------


def test_buttons(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("Pick", buttons=(("Yes", " "), ("No",), ("",))))
    rows = call.data["reply_markup"]["inline_keyboard"]
    assert [[b["text"] for b in row] for row in rows] == [["Yes"], ["No"]]
    assert [[b["callback_data"] for b in row] for row in rows] == [["0.0:Yes"], ["1.0:No"]]


def test_without_keyboards_choices_are_a_list(connected: Any, out: Any) -> None:
    (call,) = sending(connected, out("Pick", buttons=(("Yes", "No"),)), inlineKeyboards=False)
    assert call.data["shown"] == "Pick\n\n1. Yes\n2. No"
    assert "reply_markup" not in call.data


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words", "parameters", "retryable", "after"),
    [
        (429, "Too Many Requests: retry after 7", {"retry_after": 7}, True, 7.0),
        (403, "Forbidden: bot was blocked by the user", {}, False, None),
        (400, "Bad Request: not enough rights to send", {}, False, None),
        (401, "Unauthorized", {}, False, None),
        (500, "Internal Server Error", {}, True, None),
        (502, "Bad Gateway", {}, True, None),
    ],
)
def test_what_a_refusal_means(
    connected: Any,
    out: Any,
    api: Any,
    status: int,
    words: str,
    parameters: dict[str, int],
    retryable: bool,
    after: float | None,
) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("sendMessage", api.Refused(status, words, **parameters))
        with pytest.raises(DeliveryError) as caught:
            await channel.send(out("a"))
        assert (caught.value.retryable, caught.value.retry_after) == (retryable, after)

    connected(work)


def test_a_broken_connection_is_retryable_and_tells_no_secret(
    api: Any, open_channel: Any, out: Any, tmp_path: Path
) -> None:
    async def inside() -> None:
        async with api.BotApi() as server:
            section = server.config
        async with open_channel(section, tmp_path, Host()) as (channel, _):  # nobody listens there
            with pytest.raises(DeliveryError) as caught:
                await channel.send(out("a"))
        assert caught.value.retryable
        assert api.TOKEN not in f"{caught.value} {caught.value!r} {caught.value.__cause__}"

    run(inside())


def test_a_group_that_became_a_supergroup_is_followed(connected: Any, out: Any, api: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        moved = api.Refused(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-100500)
        server.fail("sendMessage", moved)
        await channel.send(out("a", chat="-7"))
        await channel.send(out("b", chat="-7", id="out-2"))
        tried = await server.tried("sendMessage", 3)
        assert [call.data["chat_id"] for call in tried] == [-7, -100500, -100500]

    connected(work)


# --- live answers ---------------------------------------------------------------------------------


def test_an_answer_grows_in_one_message(connected: Any, out: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("```py\nx", partial=True, buttons=(("Yes",),)))
        await channel.edit(sent, out("```py\nx = 1", partial=True, buttons=(("Yes",),)))
        await channel.edit(sent, out("```py\nx = 1\n```\n**done**", buttons=(("Yes",),)))
        (first,) = await server.called("sendMessage")
        grown, whole = await server.called("editMessageText", 2)
        assert first.data["shown"] == "x" and "reply_markup" not in first.data
        assert grown.data["shown"] == "x = 1" and "reply_markup" not in grown.data
        assert whole.data["shown"] == "x = 1\ndone" and "reply_markup" in whole.data
        assert {grown.data["message_id"], whole.data["message_id"]} == {int(sent)}

    connected(work)


def test_an_edit_that_changes_nothing_is_done(connected: Any, out: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("same", partial=True))
        await channel.edit(sent, out("same"))
        assert len(await server.tried("editMessageText")) == 1

    connected(work)


def test_an_edit_falls_back_to_plain_text_once(connected: Any, out: Any, api: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("a", partial=True))
        server.fail("editMessageText", api.Refused(400, "Bad Request: can't parse entities"))
        await channel.edit(sent, out("**b**"))
        (_, call) = await server.tried("editMessageText", 2)
        assert call.data["text"] == "**b**"

    connected(work)


@pytest.mark.parametrize(("status", "retryable"), [(400, False), (500, True)])
def test_an_edit_that_fails_is_told(
    connected: Any, out: Any, api: Any, status: int, retryable: bool
) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("editMessageText", api.Refused(status, "Bad: message to edit not found"))
        with pytest.raises(DeliveryError) as caught:
            await channel.edit("77", out("b"))
        assert caught.value.retryable is retryable

    connected(work)


def test_the_pace_of_edits_is_configured(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> float:
        return float(channel.edit_interval_s)

    assert connected(work) == 0.6
    assert connected(work, streamEditInterval=2) == 2.0


def test_typing_is_shown_in_the_topic(connected: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        target = Target(channel="telegram", chat="-100500", thread="5")
        await channel.typing(target, on=True)
        (call,) = await server.called("sendChatAction")
        assert (call.data["action"], call.data["message_thread_id"]) == ("typing", 5)
        await channel.typing(target, on=False)

    connected(work)


def test_a_message_is_marked_while_it_is_worked_on(connected: Any, out: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        await server.write(text="do it")
        (message,) = await host.until(1)
        (shown,) = await server.called("setMessageReaction")
        assert shown.data["reaction"] == [{"type": "emoji", "emoji": "👀"}]
        sent = await channel.send(out("wor", partial=True, answers=message.id))
        await channel.edit(sent, out("working", answers=message.id))
        _, cleared = await server.called("setMessageReaction", 2)
        assert cleared.data["message_id"] == shown.data["message_id"] == 1
        assert not cleared.data.get("reaction")

    connected(work)


def test_marks_can_be_switched_off_and_may_fail(connected: Any, api: Any, out: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("setMessageReaction", api.Refused(400, "Bad Request: REACTION_INVALID"))
        await server.write(text="do it")
        (message,) = await host.until(1)
        await channel.send(out("done", answers=message.id))

    async def without(channel: Any, server: Any, host: Host) -> None:
        await work(channel, server, host)
        assert "setMessageReaction" not in [call.method for call in server.calls]

    connected(work)
    connected(without, reactEmoji="")


# --- files ----------------------------------------------------------------------------------------


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "Ärger 1.pdf"
    path.write_bytes(b"%PDF-1.7")
    return path


def test_files_are_uploaded_after_the_text(connected: Any, out: Any, report: Path) -> None:
    picture = report.with_suffix(".png")
    picture.write_bytes(b"png")
    sound = report.with_suffix(".ogg")
    sound.write_bytes(b"ogg")

    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("here", files=(report, picture, sound), thread="5"))
        calls = [call for call in server.calls if call.method.startswith("send")]
        assert [call.method for call in calls] == [
            "sendMessage",
            "sendDocument",
            "sendPhoto",
            "sendVoice",
        ]
        assert sent == str(calls[0].data["id"])
        assert calls[1].files["document"] == ("Ärger 1.pdf", b"%PDF-1.7")
        assert calls[1].data["message_thread_id"] == 5

    connected(work)


def test_a_file_alone_needs_no_text(connected: Any, out: Any, report: Path) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out(files=(report,)))
        (call,) = await server.called("sendDocument")
        assert sent == str(call.data["id"])
        assert "sendMessage" not in [call.method for call in server.calls]

    connected(work)


def test_another_try_sends_only_what_is_missing(
    connected: Any, out: Any, api: Any, report: Path
) -> None:
    message = out("here", files=(report, report))

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("sendDocument", api.Refused(500, "Internal Server Error"))
        with pytest.raises(DeliveryError) as caught:
            await channel.send(message)
        assert caught.value.retryable
        sent = await channel.send(message)
        (text,) = await server.called("sendMessage")
        assert sent == str(text.data["id"])
        assert len(await server.called("sendDocument", 2)) == 2

    connected(work)


def test_what_is_no_photo_to_telegram_goes_as_a_document(
    connected: Any, out: Any, api: Any, tmp_path: Path
) -> None:
    picture = tmp_path / "tall.png"
    picture.write_bytes(b"png")

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("sendPhoto", api.Refused(400, "Bad Request: PHOTO_INVALID_DIMENSIONS"))
        await channel.send(out(files=(picture,)))
        (call,) = await server.called("sendDocument")
        assert call.files["document"] == ("tall.png", b"png")

    connected(work)


def test_files_that_can_not_go_are_named_and_the_rest_goes(
    connected: Any, out: Any, report: Path, tmp_path: Path
) -> None:
    huge = tmp_path / "huge.bin"
    with huge.open("wb") as file:
        file.truncate(50 * 2**20 + 1)
    empty = tmp_path / "empty.txt"
    empty.touch()

    async def work(channel: Any, server: Any, host: Host) -> None:
        files = (huge, tmp_path / "gone.txt", empty, report)
        with pytest.raises(DeliveryError) as caught:
            await channel.send(out("here", files=files))
        assert not caught.value.retryable
        assert len(await server.called("sendDocument")) == 1
        text, notice = await server.called("sendMessage", 2)
        assert text.data["shown"] == "here"
        for words in ("huge.bin: it is larger than 50 MB", "gone.txt", "empty.txt: it is empty"):
            assert words in notice.data["shown"] and words in caught.value.message

    connected(work)


def test_an_edited_answer_brings_its_files_at_the_end(
    connected: Any, out: Any, report: Path
) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        sent = await channel.send(out("her", partial=True))
        await channel.edit(sent, out("here", partial=True, files=(report,)))
        assert "sendDocument" not in [call.method for call in server.calls]
        await channel.edit(sent, out("here you are", files=(report,)))
        assert len(await server.called("sendDocument")) == 1

    connected(work)
