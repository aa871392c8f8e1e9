"""Files that people send."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import SystemClock
from nanobot.messages import File, Image, Part, text_of
from nanobot_channel_telegram.config import TelegramConfig
from nanobot_gateway.access import Entry, Gate
from nanobot_gateway.channel import Accepted, Incoming, Verdict
from nanobot_gateway.pairing import PairingStore
from nanobot_testing.contracts.channel import Host

NAMES = json.loads((Path(__file__).parent / "corpora" / "media_names.json").read_text())["items"]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"x" * 40


def document(name: str = "a.txt", size: int = 10, **fields: Any) -> dict[str, Any]:
    about = {"file_id": "f1", "file_unique_id": "f1", "file_name": name, "file_size": size}
    return {"document": {**about, **fields}}


def parts_of(
    connected: Any, content: bytes | None, fields: dict[str, Any], **config: Any
) -> tuple[Part, ...]:
    """Return the parts of a message with a file, as they come in."""

    async def work(channel: Any, server: Any, host: Host) -> tuple[Part, ...]:
        if content is not None:
            server.files["f1"] = content
        await server.write(**fields)
        return (await host.until(1))[0].parts

    return tuple(connected(work, **config))


def test_a_photo_is_a_picture_in_its_largest_size(connected: Any, tmp_path: Path) -> None:
    sizes = [
        {"file_id": "small", "file_unique_id": "s", "width": 10, "height": 10, "file_size": 9},
        {"file_id": "f1", "file_unique_id": "m", "width": 90, "height": 90, "file_size": 99},
        {"file_id": "h", "file_unique_id": "h", "width": 999, "height": 9, "file_size": 9**9},
    ]
    picture, text = parts_of(connected, PNG, {"photo": sizes, "caption": "look"})
    assert isinstance(picture, Image)
    assert (picture.data, picture.media_type) == (PNG, "image/png")
    assert text_of((text,)) == "look"
    assert not list((tmp_path / "media").iterdir())


@pytest.mark.parametrize("kind", ["voice", "audio", "video", "video_note", "animation"])
def test_other_media_are_files(connected: Any, kind: str) -> None:
    about = {
        "file_id": "f1",
        "file_unique_id": "f1",
        "duration": 1,
        "width": 1,
        "height": 1,
        "length": 1,
        "mime_type": "audio/ogg",
    }
    (part,) = parts_of(connected, b"OggS....", {kind: about})
    assert isinstance(part, File)
    assert Path(part.path).read_bytes() == b"OggS...." and part.path.endswith(".ogg")


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row["id"])
def test_no_name_is_used_as_a_path(connected: Any, tmp_path: Path, row: dict[str, str]) -> None:
    assert row["expected"] == "stored"
    (part,) = parts_of(connected, b"plain words", document(row["input"]))
    assert isinstance(part, File)
    path = Path(part.path)
    media = tmp_path / "media"
    assert list(media.iterdir()) == [path] and path.parent == media
    mode = path.lstat().st_mode
    assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o600
    assert path.suffix == ".txt" and path.stem.isalnum() and len(path.stem) == 32
    assert part.name.isprintable() and len(part.name) <= 120


def test_a_file_that_is_announced_as_too_large_is_not_fetched(
    connected: Any, tmp_path: Path
) -> None:
    (part,) = parts_of(connected, b"x", document("film.mkv", size=30 * 2**20))
    assert text_of((part,)) == "[document: film.mkv: not fetched, it is larger than 20 MB]"
    assert not list((tmp_path / "media").iterdir())


def test_a_file_that_turns_out_too_large_is_removed(connected: Any, tmp_path: Path) -> None:
    content = b"x" * (2**20 + 1)
    (part,) = parts_of(connected, content, document("a.bin", size=0), maxFileMb=1)
    assert "larger than 1 MB" in text_of((part,))
    assert not list((tmp_path / "media").iterdir())


def test_a_file_that_telegram_does_not_give_is_told(connected: Any) -> None:
    (part,) = parts_of(connected, None, document("a.bin", size=0))
    assert "larger than 20 MB" in text_of((part,))


def test_a_file_that_is_gone_is_told_and_the_words_come_in(connected: Any, api: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.fail("getFile", api.Refused(400, "Bad Request: wrong file_id"))
        await server.write(caption="read this", **document("a.pdf"))
        (message,) = await host.until(1)
        assert text_of(message.parts) == (
            "[document: a.pdf: could not be fetched from Telegram]\nread this"
        )

    connected(work)


def test_a_busy_server_is_asked_once_more(connected: Any, api: Any) -> None:
    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["f1"] = b"words"
        server.fail("getFile", api.Refused(502, "Bad Gateway"))
        await server.write(**document())
        (message,) = await host.until(1)
        assert isinstance(message.parts[0], File)

    connected(work)


def test_a_full_disk_leaves_the_message_with_telegram(
    connected: Any, held_clock: Any, tmp_path: Path
) -> None:
    media = tmp_path / "media"

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["f1"] = b"words"
        media.rmdir()  # nothing can be written there now
        await server.write(**document())
        _, woken = await held_clock.asleep()
        assert not host.messages and server.pending
        media.mkdir()
        woken.set()
        (message,) = await host.until(1)
        assert isinstance(message.parts[0], File)

    connected(work, context={"clock": held_clock})


def test_files_of_a_message_that_comes_again_are_not_kept_twice(
    connected: Any, held_clock: Any, tmp_path: Path
) -> None:
    media = tmp_path / "media"

    async def work(channel: Any, server: Any, host: Host) -> None:
        host.storage_fails = 1
        server.files["f1"] = b"words"
        await server.write(**document())
        _, woken = await held_clock.asleep()
        assert not list(media.iterdir())
        woken.set()
        await host.until(1)
        assert len(list(media.iterdir())) == 1

    connected(work, context={"clock": held_clock})


@pytest.mark.parametrize("verdict", [Verdict.DENIED, Verdict.IGNORED, Verdict.DUPLICATE])
def test_files_of_who_is_not_heard_are_removed(
    connected: Any, tmp_path: Path, verdict: Verdict
) -> None:
    seen = []

    async def accept(message: Incoming) -> Accepted:
        (part,) = message.parts
        assert isinstance(part, File) and Path(part.path).exists()
        seen.append(part)
        return Accepted(verdict=verdict)

    async def work(channel: Any, server: Any, host: Host) -> None:
        server.files["f1"] = b"words"
        await server.write(**document())
        await server.confirmed()

    connected(work, context={"accept": accept})
    assert seen and not list((tmp_path / "media").iterdir())


@pytest.mark.parametrize(
    ("config", "fetched"),
    [
        ({}, False),
        ({"groupPolicy": "open"}, True),
        ({"groupPolicy": "allowlist", "groupAllowFrom": [-100500]}, True),
        ({"groupPolicy": "allowlist"}, False),
    ],
)
def test_files_of_a_group_are_fetched_only_where_the_bot_listens(
    connected: Any, tmp_path: Path, config: dict[str, Any], fetched: bool
) -> None:
    gate = Gate(PairingStore(tmp_path / "pairing.json", SystemClock()))
    section = TelegramConfig.model_validate({"allowFrom": ["*"], **config})

    def admits(message: Incoming) -> bool:
        return gate.decide(message, "telegram", "default", section).entry is Entry.ADMITTED

    (part,) = parts_of(
        connected, b"words", {"group": True, **document()}, context={"admits": admits}, **config
    )
    assert isinstance(part, File) is fetched
    assert fetched or text_of((part,)) == "[document: a.txt]"


def test_no_file_of_a_stranger_is_asked_for(connected: Any, tmp_path: Path) -> None:
    """Neither his own nor that of the message which he answers; what he says comes in."""
    chat = {"id": 1001, "type": "private", "first_name": "Ann"}
    author = {"id": 1001, "is_bot": False, "first_name": "Ann"}
    replied = {"message_id": 3, "date": 1, "chat": chat, "from": author, **document("old.txt")}

    async def work(channel: Any, server: Any, host: Host) -> None:
        host.strangers.add("1001")
        server.files["f1"] = b"words"
        await server.write(caption="hi", reply_to_message=replied, **document())
        await server.confirmed()
        (message,) = host.messages
        assert text_of(message.parts) == "[document: old.txt]\n[document: a.txt]\nhi"
        assert not [call for call in server.calls if call.method == "getFile"]
        assert server.downloads == 0
        assert not list((tmp_path / "media").iterdir())

    connected(work)


def test_the_file_of_the_message_that_is_answered_comes_along(connected: Any) -> None:
    chat = {"id": 1001, "type": "private", "first_name": "Ann"}
    author = {"id": 1002, "is_bot": False, "first_name": "Bo"}
    replied = {"message_id": 3, "date": 1, "chat": chat, "from": author, **document("notes.txt")}
    file, text = parts_of(
        connected, b"words", {"text": "what is this?", "reply_to_message": replied}
    )
    assert isinstance(file, File) and file.name == "notes.txt"
    assert text_of((text,)) == "what is this?"
