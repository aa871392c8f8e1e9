"""Files that come in: told apart by what they hold, and kept under names that nobody else chose.

Nothing that a platform or a sender says becomes a path, an ending or a mode. A channel first asks
`nanobot_gateway.channel.ChannelContext.admits`, so that nobody can fill a disk who may not talk to
the agent.
"""

from __future__ import annotations

import asyncio
import codecs
import os
import secrets
import zipfile
from collections.abc import AsyncIterable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from nanobot.errors import StorageError
from nanobot.messages import File, Part

_OFFICE = "application/vnd.openxmlformats-officedocument."
_CHUNK = 64 * 1024
_LONGEST_NAME = 120


@dataclass(frozen=True, slots=True)
class FileKind:
    """What a file is by its content.

    Args:
        media_type: Its type, such as ``image/png``.
        suffix: The ending that it gets, such as ``.png``.
    """

    media_type: str
    suffix: str

    @property
    def picture(self) -> bool:
        """Tell whether vision models take it."""
        return self.media_type in _PICTURES


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """A file that was stored."""

    path: Path
    kind: FileKind


_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_TEXT = FileKind("text/plain", ".txt")
_UNKNOWN = FileKind("application/octet-stream", ".bin")
_ZIP = FileKind("application/zip", ".zip")
_PDF = FileKind("application/pdf", ".pdf")
_MP3 = FileKind("audio/mpeg", ".mp3")
_MOV = FileKind("video/quicktime", ".mov")
_MP4 = FileKind("video/mp4", ".mp4")
_M4A = FileKind("audio/mp4", ".m4a")
_WEBM = FileKind("video/webm", ".webm")
_MKV = FileKind("video/x-matroska", ".mkv")
_BMP = FileKind("image/bmp", ".bmp")

_SIGNATURES: tuple[tuple[int, bytes, FileKind], ...] = (
    (0, b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", FileKind("image/png", ".png")),
    (0, b"\xff\xd8\xff", FileKind("image/jpeg", ".jpg")),
    (0, b"GIF87a", FileKind("image/gif", ".gif")),
    (0, b"GIF89a", FileKind("image/gif", ".gif")),
    (0, b"%PDF-", _PDF),
    (0, b"PK\x03\x04", _ZIP),
    (0, b"OggS", FileKind("audio/ogg", ".ogg")),
    (0, b"ID3", _MP3),
    (0, b"\xff\xfb", _MP3),
    (0, b"\xff\xf3", _MP3),
    (0, b"\xff\xf2", _MP3),
    (0, b"fLaC", FileKind("audio/flac", ".flac")),
    (0, b"\x1f\x8b", FileKind("application/gzip", ".gz")),
    (0, b"\x1a\x45\xdf\xa3", _MKV),
    (4, b"ftypM4A", _M4A),
    (4, b"ftypheic", FileKind("image/heic", ".heic")),
    (4, b"ftypavif", FileKind("image/avif", ".avif")),
    (4, b"ftypqt  ", _MOV),
    (4, b"ftyp", _MP4),
    *((4, atom, _MOV) for atom in (b"moov", b"mdat", b"wide", b"free")),
)
_RIFF = {b"WEBP": FileKind("image/webp", ".webp"), b"WAVE": FileKind("audio/wav", ".wav")}
_ARCHIVES = {
    "word/": FileKind(_OFFICE + "wordprocessingml.document", ".docx"),
    "xl/": FileKind(_OFFICE + "spreadsheetml.sheet", ".xlsx"),
    "ppt/": FileKind(_OFFICE + "presentationml.presentation", ".pptx"),
}


def sniff(file: BinaryIO) -> FileKind:
    """Return what a file is by its content, whatever it was called."""
    file.seek(0)
    head = file.read(1024)
    if head.startswith(b"RIFF") and head[8:12] in _RIFF:
        return _RIFF[head[8:12]]
    if head.startswith(b"BM") and head[6:10] == bytes(4):
        return _BMP
    for offset, signature, kind in _SIGNATURES:
        if head.startswith(signature, offset):
            if kind is _ZIP:
                return _archive(file)
            return _WEBM if kind is _MKV and b"webm" in head[:64] else kind
    if _is_text(file):
        return _TEXT
    return _PDF if b"%PDF-" in head else _UNKNOWN  # printers write their own lines before it


def keep(data: bytes, folder: Path, kind: FileKind | None = None) -> Kept:
    """Store a file, mode 0600 and under a random name.

    Args:
        kind: What it is, where that was found out already.

    Raises:
        StorageError: It can not be written; nothing of it is left.
    """
    with _draft(folder) as (path, file):
        file.write(data)
        return _finish(path, file, kind or sniff(file))


async def receive(chunks: AsyncIterable[bytes], folder: Path, limit: int) -> Kept | None:
    """Store a file as it arrives; None when it has more than so many bytes.

    Raises:
        StorageError: It can not be written; nothing of it is left. An `OSError` of `chunks` is
            taken for one of the disk.
    """
    with _draft(folder) as (path, file):
        async for chunk in chunks:
            if file.tell() + len(chunk) > limit:
                return None
            file.write(chunk)
        return _finish(path, file, await asyncio.to_thread(sniff, file))


def discard(parts: Iterable[Part]) -> None:
    """Remove the stored files of a message that led to nothing."""
    for part in parts:
        if isinstance(part, File):
            with suppress(OSError):
                Path(part.path).unlink()


def shown_name(name: str) -> str:
    """Return what a sender calls a file, for reading alone: one short line without folders."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    line = "".join(c if c.isprintable() else " " for c in last)
    return " ".join(line.split())[:_LONGEST_NAME].strip()


@contextmanager
def _draft(folder: Path) -> Iterator[tuple[Path, BinaryIO]]:
    """Make a file that is gone afterwards, unless `_finish` gave it its name."""
    path = folder / secrets.token_hex(16)
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(path, flags, 0o600), "w+b") as file:
            yield path, file
    except OSError as error:
        raise StorageError(
            f"a file that came in can not be stored: {error.strerror or error}"
        ) from None
    finally:
        path.unlink(missing_ok=True)


def _finish(path: Path, file: BinaryIO, kind: FileKind) -> Kept:
    file.flush()
    return Kept(path=path.rename(path.with_suffix(kind.suffix)), kind=kind)


def _is_text(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while chunk := file.read(_CHUNK):
            if "\0" in decoder.decode(chunk):
                return False
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _archive(file: BinaryIO) -> FileKind:
    try:
        with zipfile.ZipFile(file) as archive:
            names = archive.namelist()
    except Exception:  # the reader has more ways to fail than it documents
        return _ZIP
    if "[Content_Types].xml" in names:
        for folder, kind in _ARCHIVES.items():
            if any(name.startswith(folder) for name in names):
                return kind
    return _ZIP
