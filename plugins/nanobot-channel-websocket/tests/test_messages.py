"""Messages on their way in: acknowledged once stored, told to others, with what is attached."""

from __future__ import annotations

import asyncio
import base64
import stat
from pathlib import Path
from typing import Any

import pytest
from nanobot.events import TextDelta, TurnStarted
from nanobot.messages import File, Image, text_of
from nanobot_channel_websocket import uploads
from nanobot_gateway.channel import Accepted, Incoming, Verdict

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR-and-more"
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def data_url(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def message(**more: Any) -> dict[str, Any]:
    return {"type": "message", "chat_id": "c1", "content": "hi", "turn_id": "t1", **more}


# --- acknowledged ---------------------------------------------------------------------------------


def test_a_message_is_acknowledged_and_others_see_it(go: Any) -> None:
    async def work(lab: Any) -> None:
        writer, peer, stranger = [await lab.connect() for _ in range(3)]
        await writer.attach("c1")
        await peer.attach("c1")
        await writer.send(message(webui=True))
        accepted = await writer.next()
        assert accepted == {
            "event": "message_accepted",
            "chat_id": "c1",
            "turn_id": "t1",
            "starts_turn": True,
            "active_turn_id": "t1",
            "started_at": accepted["started_at"],
        }
        seen = await peer.next()
        assert seen["event"] == "user_message" and seen["text"] == "hi" and seen["seq"] > 0
        assert (seen["turn_id"], seen["starts_turn"]) == ("t1", True)
        assert await writer.settle() == [] and await stranger.settle() == []

    go(work)


def test_what_was_seen_is_acknowledged_again(go: Any) -> None:
    async def work(lab: Any) -> None:
        client, peer = await lab.connect(), await lab.connect()
        await peer.attach("c1")
        first = await client.ask(message(webui=True))
        again = await client.ask(message(webui=True))
        assert first["event"] == again["event"] == "message_accepted"
        assert again["starts_turn"] is True and again["turn_id"] == "t1"
        assert len(await peer.settle()) == 1, "others are told once"

    go(work)


def test_a_message_that_joins_names_the_running_turn(go: Any) -> None:
    async def accept(incoming: Incoming) -> Accepted:
        joined = Verdict.TURN if incoming.id == "t1" else Verdict.JOINED
        return Accepted(verdict=joined, session_key="websocket:c1", turn="t1")

    async def work(lab: Any) -> None:
        client = await lab.connect()
        first = await client.ask(message())
        lab.show("c1", "t1", TurnStarted(turn_id="x", session_key="websocket:c1"))
        await client.until("goal_status")
        second = await client.ask(message(turn_id="t2"))
        assert (second["starts_turn"], second["active_turn_id"]) == (False, "t1")
        assert second["started_at"] == first["started_at"]

    go(work, accept=accept)


def test_what_happens_meanwhile_is_told_after_the_acknowledgement(go: Any) -> None:
    lab_of: list[Any] = []

    async def accept(incoming: Incoming) -> Accepted:
        started = TurnStarted(turn_id="x", session_key="websocket:c1")
        lab_of[0].show("c1", incoming.id, started, TextDelta(text="early"))
        await asyncio.sleep(0)
        return Accepted(verdict=Verdict.TURN, turn=incoming.id)

    async def work(lab: Any) -> None:
        lab_of.append(lab)
        client = await lab.connect()
        await client.send(message(webui=True))
        events = [event["event"] for event in await client.until("delta")]
        assert events == ["message_accepted", "goal_status", "delta"]

    go(work, accept=accept)


def test_a_message_that_is_not_stored_is_asked_for_again(go: Any, tmp_path: Path) -> None:
    async def work(lab: Any) -> None:
        lab.host.storage_fails = 1
        client = await lab.connect()
        frame = message(media=[{"data_url": data_url("image/png", PNG), "name": "a.png"}])
        refused = await client.ask(frame)
        assert (refused["event"], refused["detail"]) == ("error", "storage_unavailable")
        assert (refused["chat_id"], refused["turn_id"]) == ("c1", "t1")
        assert list((lab.folder / "media").iterdir()) == []
        assert (await client.ask(frame))["event"] == "message_accepted"
        assert len(list((lab.folder / "media").iterdir())) == 1

    go(work)


def test_a_full_disk_for_attachments_is_said_too(go: Any, monkeypatch: Any) -> None:
    def full(*args: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(uploads, "_store", full)

    async def work(lab: Any) -> None:
        frame = message(media=[{"data_url": data_url("image/png", PNG)}])
        answer = await (await lab.connect()).ask(frame)
        assert answer["detail"] == "storage_unavailable"
        assert lab.host.messages == []

    go(work)


def test_a_fault_costs_one_frame(go: Any) -> None:
    async def accept(incoming: Incoming) -> Accepted:
        if incoming.id == "t1":
            raise RuntimeError("a bug")
        return Accepted(verdict=Verdict.TURN, turn=incoming.id)

    async def work(lab: Any) -> None:
        client = await lab.connect()
        assert (await client.ask(message()))["detail"] == "internal_error"
        assert (await client.ask(message(turn_id="t2")))["event"] == "message_accepted"

    go(work, accept=accept)


@pytest.mark.parametrize(
    ("verdict", "events"),
    [(Verdict.DENIED, ["error"]), (Verdict.IGNORED, []), (Verdict.COMMAND, ["message_accepted"])],
)
def test_other_verdicts(go: Any, verdict: Verdict, events: list[str]) -> None:
    async def accept(incoming: Incoming) -> Accepted:
        return Accepted(verdict=verdict, turn=incoming.id)

    async def work(lab: Any) -> None:
        client = await lab.connect()
        frame = message(media=[{"data_url": data_url("image/png", PNG)}])
        await client.send(frame)
        told = await client.settle()
        assert [event["event"] for event in told] == events
        if verdict is Verdict.DENIED:
            assert told[0]["detail"] == "access_denied"
        if verdict is Verdict.COMMAND:
            assert told[0]["starts_turn"] is False and "active_turn_id" not in told[0]
        assert list((lab.folder / "media").iterdir()) == [], "nobody will read it"

    go(work, accept=accept)


@pytest.mark.parametrize("given", [None, "", "has space", "x" * 129, 7, "ü", "t\n"])
def test_a_name_that_does_not_fit_is_replaced(go: Any, given: Any) -> None:
    async def work(lab: Any) -> str:
        client = await lab.connect()
        accepted = await client.ask(message(turn_id=given))
        assert accepted["turn_id"] == lab.host.messages[0].id
        return str(accepted["turn_id"])

    made = go(work)
    assert made != given and len(made) == 32


def test_a_stop_is_text_like_any_other(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send(message(content="/stop"))
        (incoming,) = await lab.host.until(1)
        assert text_of(incoming.parts) == "/stop"

    go(work)


def test_chats_are_made_and_told_apart(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        await client.send({"type": "new_chat"})
        attached, updated = await client.next(), await client.next()
        new = attached["chat_id"]
        assert attached["event"] == "attached" and attached["model_preset"] is None
        assert updated == {"event": "session_updated", "chat_id": new, "scope": "metadata"}
        assert new != client.chat and len(new) == 36
        await lab.send(client.chat, "in the first")
        await lab.send(new, "in the second", id="out-2")
        told = [await client.next() for _ in range(2)]
        assert [(event["chat_id"], event["text"]) for event in told] == [
            (client.chat, "in the first"),
            (new, "in the second"),
        ]

    go(work)


def test_a_connection_watches_a_bounded_number_of_chats(go: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("nanobot_channel_websocket.chats.MOST_PER_CLIENT", 3)

    async def work(lab: Any) -> None:
        client = await lab.connect()
        for number in range(2):
            await client.attach(f"c{number}")
        answer = await client.ask({"type": "attach", "chat_id": "c9"})
        assert answer["detail"] == "too_many_chats"
        await client.attach("c1")

    go(work)


# --- attached -------------------------------------------------------------------------------------


def test_media_names_corpus(go: Any, media_names_row: dict[str, Any]) -> None:
    """Whatever a file is called, it is stored in the folder under a name of ours."""

    async def work(lab: Any) -> None:
        item = {"data_url": data_url("image/png", PNG), "name": media_names_row["input"]}
        text = {"data_url": data_url("text/plain", b"hi"), "name": media_names_row["input"]}
        accepted = await (await lab.connect()).ask(message(media=[item, text]))
        assert accepted["event"] == "message_accepted"
        folder = lab.folder / "media"
        first, second = sorted(folder.iterdir(), key=lambda path: path.suffix)
        assert (first.suffix, second.suffix) == (".png", ".txt")
        assert (first.read_bytes(), second.read_bytes()) == (PNG, b"hi")
        for path in (first, second):
            assert len(path.stem) == 32 and set(path.stem) <= set("0123456789abcdef")
            assert stat.S_IMODE(path.stat().st_mode) == 0o600 and path.is_file()
        (incoming,) = lab.host.messages
        for part in incoming.parts[1:]:
            assert isinstance(part, Image | File)
            assert len(part.name) <= 80 and part.name.isprintable()
            assert not set(part.name) & set("/\\")
        everything = {path.name for path in lab.folder.rglob("*") if path.is_file()}
        assert everything == {first.name, second.name}

    go(work)


def test_pictures_are_seen_and_files_are_read(go: Any) -> None:
    async def work(lab: Any) -> None:
        peer, client = await lab.connect(), await lab.connect()
        await peer.attach("c1")
        media = [
            {"data_url": data_url("image/png", PNG), "name": "cat.png"},
            {"data_url": data_url("application/pdf", b"%PDF-1.7 ..."), "name": "a/b/report.pdf"},
            {"data_url": "data:text/csv;charset=utf-8;base64,YTti", "name": None},
            {"data_url": data_url("video/mp4", b"\0\0\0\x18ftypmp42"), "name": "clip.mp4"},
        ]
        await client.ask(message(content="", media=media))
        (incoming,) = lab.host.messages
        picture, report, table, clip = incoming.parts
        assert picture == Image(data=PNG, media_type="image/png", name="cat.png")
        assert (report.name, report.media_type) == ("report.pdf", "application/pdf")
        assert Path(table.path).read_bytes() == b"a;b" and Path(clip.path).suffix == ".mp4"
        told = await peer.next()
        kinds = [item["kind"] for item in told["media_urls"]]
        assert kinds == ["image", "file", "file", "video"]
        found, _, body = await lab.request(told["media_urls"][0]["url"])
        assert (found, body) == (200, PNG)

    go(work)


LARGE = data_url("application/pdf", b"%PDF-" + b"x" * uploads.FILE_BYTES)
SMALL = {"data_url": data_url("image/png", PNG)}
VIDEO = {"data_url": data_url("video/webm", b"\x1a\x45\xdf\xa3")}


@pytest.mark.parametrize(
    ("media", "reason"),
    [
        ("x", "malformed"),
        ([None], "malformed"),
        ([{"name": "x"}], "malformed"),
        ([{"data_url": "file:///etc/passwd"}], "malformed"),
        ([{"data_url": "data:image/png,plain"}], "malformed"),
        ([{**SMALL, "name": 5}], "malformed"),
        ([SMALL] * 5, "too_many_images"),
        ([VIDEO, VIDEO], "too_many_videos"),
        ([SMALL] * 3 + [{"data_url": data_url("text/plain", b"a")}] * 2, "too_many_attachments"),
        ([SMALL] * 6, "too_many_attachments"),
        ([{"data_url": LARGE}], "size"),
        ([{"data_url": data_url("image/svg+xml", b"<svg/>")}], "mime"),
        ([{"data_url": data_url("text/html", b"<script>")}], "mime"),
        ([{"data_url": data_url("application/x-msdownload", b"MZ")}], "mime"),
        ([{"data_url": data_url("image/png", b"MZ not a picture at all, but a program")}], "mime"),
        ([{"data_url": data_url("image/jpeg", PNG)}], "mime"),
        ([{"data_url": data_url(DOCX, b"not a zip")}], "mime"),
        ([{"data_url": data_url("text/plain", b"\xff\xfe\0")}], "mime"),
        ([{"data_url": "data:image/png;base64,%%%%"}], "decode"),
        ([{"data_url": "data:image/png;base64,"}], "decode"),
        ([SMALL, {"data_url": "data:image/png;base64,iVBORw0=KGgo"}], "decode"),
    ],
)
def test_what_may_not_be_attached(go: Any, media: Any, reason: str) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect(max_size=None)
        answer = await client.ask(message(media=media))
        assert (answer["detail"], answer["reason"]) == ("attachment_rejected", reason)
        assert (answer["chat_id"], answer["turn_id"]) == ("c1", "t1")
        assert lab.host.messages == [] and list((lab.folder / "media").iterdir()) == []
        assert (await client.ask(message()))["event"] == "message_accepted"

    go(work)


def test_all_files_together_have_a_limit(go: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(uploads, "TOTAL_BYTES", 100)

    async def work(lab: Any) -> None:
        answer = await (await lab.connect()).ask(message(media=[SMALL] * 4))
        assert answer["reason"] == "total_size"

    go(work)


@pytest.mark.parametrize(
    ("frame", "detail"),
    [
        (message(chat_id="../x"), "invalid chat_id"),
        (message(chat_id="telegram:123"), "invalid chat_id"),
        (message(content=None), "missing content"),
        (message(content=""), "missing content"),
        (message(content="", media=[]), "missing content"),
        (message(content="é" * 40_000), "message_rejected"),
        (message(workspace_scope={"project_path": "/etc"}), "workspace_scope_rejected"),
    ],
)
def test_messages_that_are_refused(go: Any, frame: dict[str, Any], detail: str) -> None:
    async def work(lab: Any) -> None:
        answer = await (await lab.connect()).ask(frame)
        assert answer["event"] == "error" and answer["detail"] == detail
        if detail != "invalid chat_id":
            assert (answer["chat_id"], answer["turn_id"]) == ("c1", "t1")
        assert lab.host.messages == []

    go(work)


def test_plain_text_has_the_same_limit(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect()
        answer = await client.ask("x" * 70_000)
        assert (answer["detail"], answer["reason"]) == ("message_rejected", "text_too_large")
        assert "65536" in answer["text"]

    go(work)
