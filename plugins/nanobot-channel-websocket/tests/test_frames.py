"""What clients may send, and what they are told when it means nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import os
from typing import Any

import pytest
from nanobot.messages import text_of

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
VALID = {"type": "message", "chat_id": "good", "content": "still here", "turn_id": "last"}


def frames_of(given: dict[str, Any]) -> list[str | bytes]:
    """Return the frames of a row of the corpus."""
    if "text" in given:
        return [given["text"]]
    if "binary_hex" in given:
        return [bytes.fromhex(given["binary_hex"])]
    if "repeat" in given:
        opening, count = given["repeat"]
        closing, again = given["suffix_repeat"]
        return [given["prefix"] + opening * count + closing * again + given["suffix"]]
    if "flood_frames" in given:
        return [given["frame"]] * given["flood_frames"]
    return ["a" * given["size"]] if "size" in given else []


def test_ws_frames_corpus(go: Any, token: str, ws_frames_row: dict[str, Any]) -> None:
    given, expected = ws_frames_row["input"], ws_frames_row["expected"]
    frames = frames_of(given)

    async def work(lab: Any) -> None:
        if not frames:
            await special(lab, token, given, expected)
            return
        client, other = await lab.connect(), await lab.connect()
        told: list[dict[str, Any]] = []
        reading = asyncio.create_task(client.until("message_accepted"))
        for frame in frames:
            await client.send(frame)
        await client.send(VALID)
        told = await reading
        harmless = {"webui", "sender_id", "language", "model_preset"}
        errors = [event for event in told if event["event"] == "error"]
        if expected == "error_event" and not harmless & set(_object(frames[0])):
            assert errors or frames[0] == "", "an error, or nothing for an empty frame"
            assert lab.host.messages[-1].chat == "good" and len(lab.host.messages) == 1
        assert all(event["text"] and event["detail"] for event in errors)
        assert all(m.sender.startswith("anon-") for m in lab.host.messages), "nobody else's name"
        assert {m.chat for m in lab.host.messages} <= {"good", "c1", client.chat}
        assert await other.settle() == []

    go(work)


def _object(frame: str | bytes) -> dict[str, Any]:
    try:
        found = json.loads(frame)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


async def special(lab: Any, token: str, given: dict[str, Any], expected: str) -> None:
    """Rows that are about the connection itself."""
    if "handshake_query" in given:
        query = given["handshake_query"].replace("{TOKEN_UPPER}", token.upper())
        assert (await lab.request(f"/{query}", upgrade=True))[0] == 401
    elif "raw" in given:
        _, writer = await lab.streams()
        writer.write(given["raw"].encode())
        client = await lab.connect()
        assert await client.settle() == [], "others are served meanwhile"
    elif "fragments" in given:
        reader, writer = await lab.raw()
        first, middle, last = b"\x01", b"\x00", b"\x80"
        body = given["fragment"].encode()
        piece = bytes((0x80 | len(body),)) + b"\0\0\0\0" + body
        count = given["fragments"]
        writer.write(first + piece + (middle + piece) * (count - 2) + last + piece)
        await writer.drain()
        client = await lab.connect()
        assert await client.settle() == []
    elif "flood_pings" in given:
        reader, writer = await lab.raw()
        ping = b"\x89\x80\0\0\0\0"
        writer.write(ping * given["flood_pings"] + frame(b'{"type":"ping"}'))
        await writer.drain()
        got = b""
        while b'"pong"' not in got:
            got = got[-100:] + await reader.read(2**16)
    elif "permessage_deflate_bomb_mb" in given:
        # Compression is not agreed to, so a compressed frame is an error in the protocol,
        # and one that is not compressed is too big.
        reader, writer = await lab.raw()
        writer.write(b"\xc1\x84\0\0\0\0bomb")
        assert await close_code(reader) == 1002
        size = given["permessage_deflate_bomb_mb"] * 2**20
        reader, writer = await lab.raw()
        writer.write(b"\x81\xff" + size.to_bytes(8, "big") + b"\0\0\0\0")
        assert await close_code(reader) == 1009
    elif "never_read" in given:
        reader, writer = await lab.raw()
        reader._transport.pause_reading()
        connection = next(iter(lab.channel._clients))
        for number in range(given["server_sends_mb"]):
            await lab.send(connection.chat, "x" * 2**20, id=f"big-{number}")
        assert connection.link.transport.get_write_buffer_size() < 3 * 2**20
    else:
        code = 1002
        reader, writer = await lab.raw()
        if "unmasked_client_frame" in given:
            writer.write(b"\x81\x02hi")
        else:
            bad = given["bad_close_code"].to_bytes(2, "big")
            writer.write(b"\x88\x82\0\0\0\0" + bad)
        assert await close_code(reader) == code
        assert expected == "close_1002"


def frame(payload: bytes) -> bytes:
    return bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload


async def close_code(reader: asyncio.StreamReader) -> int:
    """Read frames up to the one that closes, and return its code."""
    while True:
        head = await reader.readexactly(2)
        size = head[1] & 127
        if size == 126:
            size = int.from_bytes(await reader.readexactly(2), "big")
        body = await reader.readexactly(size)
        if head[0] & 15 == 8:
            return int.from_bytes(body[:2], "big")


def test_session_ids_corpus(go: Any, session_ids_row: dict[str, Any]) -> None:
    """An id is refused, or is a chat of its own."""
    given = session_ids_row["input"]
    ids = given if isinstance(given, list) else [given]

    async def work(lab: Any) -> list[str]:
        client = await lab.connect()
        for number, id in enumerate(ids):
            frame = {"type": "message", "chat_id": id, "content": "hi", "turn_id": f"t{number}"}
            answer = await client.ask(frame)
            while answer["event"] == "user_message":
                answer = await client.next()
            if answer["event"] == "error":
                assert answer["detail"] == "invalid chat_id" and "chat_id" not in answer
            else:
                assert answer["chat_id"] == id
        return [message.chat for message in lab.host.messages]

    kept = go(work)
    assert kept == [id for id in ids if id in kept], "no id is turned into another one"
    assert len(set(kept)) == len(kept)


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ("Hello nanobot!", "Hello nanobot!"),
        ('{"content": "one", "text": "two", "message": "three"}', "one"),
        ('{"content": " ", "text": "two", "message": "three"}', "two"),
        ('{"content": 7, "message": "three"}', "three"),
        ("42", "42"),
        ("[todo] buy milk", "[todo] buy milk"),
        ('"Hi" she said', '"Hi" she said'),
        ("Grüße 👋\nsecond line", "Grüße 👋\nsecond line"),
        (b'{"content": "binary"}', "binary"),
    ],
)
def test_text_goes_to_the_default_chat(go: Any, frame: str | bytes, text: str) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send(frame)
        (message,) = await lab.host.until(1)
        assert text_of(message.parts) == text
        assert message.chat == client.chat and message.direct and message.session == ""

    go(work)


@pytest.mark.parametrize(
    "frame", ["", " \n\t ", "{}", '{"hello": "there"}', '{"content": ""}', b""]
)
def test_what_says_nothing_is_passed_over(go: Any, frame: str | bytes) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send(frame)
        assert await client.settle() == []
        assert lab.host.messages == []

    go(work)


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        ("{", "invalid_json"),
        ('{"content": "a", "content": "b"}', "invalid_json"),
        ('\ufeff{"content": "a"}', "invalid_json"),
        ("[]", "invalid_frame"),
        ("null", "invalid_frame"),
        ('"text"', "invalid_frame"),
        ("\0", "missing content"),
        (b"\xff\xfe", "invalid_utf8"),
        ('{"type": 7}', "invalid_frame"),
    ],
)
def test_what_means_nothing_is_an_error_that_helps(
    go: Any, frame: str | bytes, detail: str
) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        answer = await client.ask(frame)
        assert answer["event"] == "error" and answer["detail"] == detail
        assert "Send text" in answer["text"]
        assert lab.host.messages == []

    go(work)


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        ({"type": "new_temporary_chat"}, {"event": "error", "detail": "access_denied"}),
        ({"type": "set_sidebar_state"}, {"event": "error", "detail": "access_denied"}),
        (
            {"type": "discard_temporary_chat", "chat_id": "/"},
            {"event": "error", "detail": "invalid temporary chat_id"},
        ),
        (
            {"type": "discard_temporary_chat", "chat_id": "x"},
            {"event": "error", "detail": "temporary_chat_unavailable", "chat_id": "x"},
        ),
        (
            {"type": "fork_chat", "source_chat_id": 1},
            {"event": "error", "detail": "invalid source_chat_id"},
        ),
        (
            {"type": "fork_chat", "source_chat_id": "x", "before_user_index": True},
            {"event": "error", "detail": "invalid before_user_index"},
        ),
        (
            {"type": "fork_chat", "source_chat_id": "x", "before_user_index": 0},
            {"event": "error", "detail": "session_manager_unavailable"},
        ),
        (
            {"type": "set_workspace_scope", "chat_id": "x", "workspace_scope": {}},
            {"event": "error", "detail": "workspace_scope_rejected", "chat_id": "x"},
        ),
        (
            {"type": "new_chat", "workspace_scope": {"project_path": "/"}},
            {"event": "error", "detail": "workspace_scope_rejected", "reason": "unavailable"},
        ),
        (
            {"type": "transcribe_audio", "request_id": "a1", "data_url": "data:audio/webm;base64,"},
            {"event": "transcription_error", "detail": "disabled", "request_id": "a1"},
        ),
        (
            {"type": "transcribe_audio"},
            {"event": "transcription_error", "detail": "invalid_request"},
        ),
        (
            {"type": "webui_request", "request_id": "r1", "action": "a", "payload": {}},
            {"event": "webui_response", "request_id": "r1", "ok": False},
        ),
        (
            {"type": "webui_request", "request_id": "r 1"},
            {"event": "error", "detail": "invalid webui request_id"},
        ),
        ({"type": "nope"}, {"event": "error", "detail": "unknown type: 'nope'"}),
        ({"type": "attach", "chat_id": "x", "last_seq": -1}, {"detail": "invalid last_seq"}),
        ({"type": "attach", "chat_id": "x", "last_seq": True}, {"detail": "invalid last_seq"}),
    ],
)
def test_what_is_not_provided_is_said(
    go: Any, frame: dict[str, Any], answer: dict[str, Any]
) -> None:
    async def work(lab: Any) -> None:
        got = await (await lab.connect()).ask(frame)
        assert answer.items() <= got.items()

    go(work)


def test_the_web_ui_is_told_what_it_misses(go: Any, token: str) -> None:
    async def work(lab: Any) -> None:
        _, _, body = await lab.request("/webui/bootstrap", {"X-Nanobot-Auth": token})
        client = await lab.connect(f"token={json.loads(body)['token']}")
        answer = await client.ask({"type": "new_temporary_chat"})
        assert answer["detail"] == "temporary_chat_unavailable"
        answer = await client.ask({"type": "set_sidebar_state", "state": {}})
        assert answer["detail"] == "invalid_sidebar_state"

    go(work)


def test_a_frame_that_is_too_big_closes_the_connection(go: Any) -> None:
    async def work(lab: Any) -> None:
        client, other = await lab.connect(), await lab.connect()
        await client.send("x" * 2000)
        await client.connection.wait_closed()
        assert client.connection.close_code == 1009
        assert await other.settle() == []

    go(work, maxMessageBytes=1024)


def test_a_large_frame_does_not_hold_others_up(go: Any) -> None:
    """While thirty megabytes are read and stored, another client is answered many times."""

    async def work(lab: Any) -> None:
        client, other = await lab.connect(), await lab.connect()
        data = "data:image/png;base64," + base64.b64encode(PNG + os.urandom(5_500_000)).decode()
        frame = {
            "type": "message",
            "chat_id": "c1",
            "content": "look",
            "turn_id": "t1",
            "media": [{"data_url": data, "name": f"{n}.png"} for n in range(4)],
        }
        raw = json.dumps(frame)
        sent = asyncio.create_task(client.send(raw))
        answered = 0
        accepted = asyncio.create_task(client.until("message_accepted"))
        while not accepted.done():
            assert await other.settle() == []
            answered += 1
        await sent
        assert answered > 10
        (message,) = lab.host.messages
        assert len(message.parts) == 5

    go(work)
