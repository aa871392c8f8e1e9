"""Files that came in: what they are, and where they end up."""

from __future__ import annotations

import io
import json
import stat
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random

import pytest
from nanobot.errors import StorageError
from nanobot.messages import File, Image, Text
from nanobot_gateway.files import FileKind, discard, keep, receive, shown_name, sniff
from nanobot_testing import run

NAMES = json.loads((Path(__file__).parent / "corpora" / "media_names.json").read_text())["items"]
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"


def archive(*names: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as made:
        for name in names:
            made.writestr(name, "x")
    return held.getvalue()


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


@pytest.mark.parametrize(
    ("content", "suffix", "media_type"),
    [
        (b"%PDF-1.7 ...", ".pdf", "application/pdf"),
        (b"\x00\xffjob\n%PDF-1.4", ".pdf", "application/pdf"),
        (b"It begins with %PDF-, says the manual.", ".txt", "text/plain"),
        (PNG, ".png", "image/png"),
        (b"\x89PNG\r\n\x1a\n", ".bin", "application/octet-stream"),
        (b"\xff\xd8\xff\xe0", ".jpg", "image/jpeg"),
        (b"GIF89a", ".gif", "image/gif"),
        (b"RIFF\0\0\0\0WEBPVP8 ", ".webp", "image/webp"),
        (b"RIFF\0\0\0\0WAVEfmt ", ".wav", "audio/wav"),
        (b"RIFF\0\0\0\0AVI ", ".bin", "application/octet-stream"),
        (b"BM\xff\0\0\0\0\0\0\0", ".bmp", "image/bmp"),
        (b"BMW builds cars", ".txt", "text/plain"),
        (b"\0\0\0\x20ftypisom", ".mp4", "video/mp4"),
        (b"\0\0\0\x20ftypM4A ", ".m4a", "audio/mp4"),
        (b"\0\0\0\x14ftypqt  ", ".mov", "video/quicktime"),
        (b"\0\0\0\x14ftypheic", ".heic", "image/heic"),
        (b"\x1a\x45\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", ".webm", "video/webm"),
        (b"\x1a\x45\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroska", ".mkv", "video/x-matroska"),
        (b"OggS\0", ".ogg", "audio/ogg"),
        (b"ID3\x04", ".mp3", "audio/mpeg"),
        (b"fLaC\0", ".flac", "audio/flac"),
        (b"\x1f\x8b\x08", ".gz", "application/gzip"),
        (archive("a.txt"), ".zip", "application/zip"),
        (archive("word/document.xml"), ".zip", "application/zip"),
        (b"PK\x03\x04 broken", ".zip", "application/zip"),
        (b"<html><script>", ".txt", "text/plain"),
        (b"#!/bin/sh", ".txt", "text/plain"),
        ("ä".encode() * 60_000, ".txt", "text/plain"),
        ("ä".encode() * 60_000 + b"\xc3", ".bin", "application/octet-stream"),
        (b"x" * 100_000 + b"\0", ".bin", "application/octet-stream"),
        (b"\x7fELF\0\xff", ".bin", "application/octet-stream"),
        (b"", ".txt", "text/plain"),
    ],
)
def test_the_content_says_what_a_file_is(
    content: bytes, suffix: str, media_type: str, tmp_path: Path
) -> None:
    assert sniff(io.BytesIO(content)) == FileKind(media_type, suffix)
    assert keep(content, tmp_path).path.suffix == suffix


@pytest.mark.parametrize(
    ("folder", "suffix"), [("word", ".docx"), ("xl", ".xlsx"), ("ppt", ".pptx")]
)
def test_documents_are_told_by_what_is_in_the_archive(folder: str, suffix: str) -> None:
    kind = sniff(io.BytesIO(archive("[Content_Types].xml", f"{folder}/main.xml")))
    assert kind.suffix == suffix and kind.media_type.startswith("application/vnd.openxml")


def test_only_what_models_can_see_is_a_picture() -> None:
    assert sniff(io.BytesIO(PNG)).picture
    assert not sniff(io.BytesIO(b"\0\0\0\x14ftypheic")).picture


@pytest.mark.parametrize("seed", range(200))
def test_any_content_is_something(seed: int, tmp_path: Path) -> None:
    dice = Random(seed)
    heads = [b"PK\x03\x04", PNG, b"RIFF", b"BM", b"\x1a\x45\xdf\xa3", archive("a"), b"%PDF-", b""]
    content = dice.choice(heads) + dice.randbytes(dice.randrange(200))
    kept = keep(content, tmp_path)
    assert kept.path.read_bytes() == content
    assert kept.path.suffix == kept.kind.suffix and "/" in kept.kind.media_type


def test_a_file_is_private_and_of_a_name_of_its_own(tmp_path: Path) -> None:
    first, second = keep(b"words", tmp_path), keep(b"words", tmp_path)
    assert set(tmp_path.iterdir()) == {first.path, second.path} and first.path != second.path
    for kept in (first, second):
        mode = kept.path.lstat().st_mode
        assert stat.S_ISREG(mode) and stat.S_IMODE(mode) == 0o600
        assert len(kept.path.stem) == 32 and kept.path.stem.isalnum()


def test_what_was_found_out_already_is_believed(tmp_path: Path) -> None:
    kind = FileKind("text/csv", ".csv")
    kept = keep(b"a,b", tmp_path, kind)
    assert kept.kind is kind and kept.path.suffix == ".csv"


def test_a_file_is_stored_as_it_arrives(tmp_path: Path) -> None:
    kept = run(receive(pieces(b"%PDF", b"-1.7", b""), tmp_path, limit=8))
    assert kept is not None and kept.path.suffix == ".pdf"
    assert kept.path.read_bytes() == b"%PDF-1.7" and list(tmp_path.iterdir()) == [kept.path]


def test_nothing_is_left_of_what_is_too_large(tmp_path: Path) -> None:
    assert run(receive(pieces(b"12345678", b"9"), tmp_path, limit=8)) is None
    assert not list(tmp_path.iterdir())


def test_nothing_is_left_of_what_breaks_off(tmp_path: Path) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"begins"
        raise RuntimeError("the connection is lost")

    with pytest.raises(RuntimeError, match="lost"):
        run(receive(broken(), tmp_path, limit=100))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("stream", [False, True])
def test_a_folder_that_can_not_be_written_is_said(tmp_path: Path, stream: bool) -> None:
    missing = tmp_path / "missing"
    with pytest.raises(StorageError, match="can not be stored: No such file"):
        if stream:
            run(receive(pieces(b"x"), missing, limit=9))
        else:
            keep(b"x", missing)


def test_discarding_removes_the_files_of_a_message(tmp_path: Path) -> None:
    kept, gone = keep(b"x", tmp_path), tmp_path / "gone"
    discard(
        [
            Text(text="hi"),
            Image(data=PNG, media_type="image/png", name="a"),
            File(path=str(gone), media_type="", name=""),
            File(path=str(kept.path), media_type="", name=""),
        ]
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("row", NAMES, ids=lambda row: row["id"])
def test_names_are_for_reading(row: dict[str, str]) -> None:
    assert row["expected"] == "stored"
    shown = shown_name(row["input"])
    assert shown.isprintable() and len(shown) <= 120 and not set(shown) & set("/\\")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("report.pdf", "report.pdf"),
        ("../../.ssh/keys", "keys"),
        ("C:\\temp\\a b.txt", "a b.txt"),
        ("a\r\nb\x00.png", "a b .png"),
        ("\u202egnp.exe", "gnp.exe"),
        ("報告.pdf", "報告.pdf"),
        ("x/", ""),
    ],
)
def test_a_name_is_one_line_without_folders(name: str, shown: str) -> None:
    assert shown_name(name) == shown
