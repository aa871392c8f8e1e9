"""Keeps attachments under names that nobody else chose, and reads files to attach."""

from __future__ import annotations

import io
import secrets
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from nanobot.errors import StorageError
from nanobot.messages import File, Image, Part, Text, Trust
from nanobot.paths import write_private

from nanobot_channel_email.reading import Attachment

PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"%PDF-", ".pdf"),
    (b"PK\x03\x04", ".zip"),
    (b"OggS", ".ogg"),
    (b"ID3", ".mp3"),
    (b"\x1f\x8b", ".gz"),
)
_OFFICE = {"word/": ".docx", "xl/": ".xlsx", "ppt/": ".pptx"}
_UNTYPED = ("application/octet-stream", "application/x-download", "")
_SNIFFED = {**PICTURES, ".pdf": "application/pdf", ".zip": "application/zip", ".txt": "text/plain"}


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Which attachments to take.

    Args:
        types: Patterns of types; none takes nothing.
        size: Largest one, in bytes.
        count: Most of one mail.
    """

    types: tuple[str, ...]
    size: int
    count: int

    @property
    def bytes_on_the_wire(self) -> int:
        """Return how much of a mail is worth fetching: text, and what may be attached in base64."""
        attached = self.size * self.count * 7 // 5 if self.types else 0
        return 1_000_000 + attached


def keep(attachments: Iterable[Attachment], folder: Path, limits: Limits, cut: bool) -> list[Part]:
    """Store the attachments that may be taken, and name those that are not.

    Args:
        cut: The mail was not fetched to its end, so its attachments are not whole.

    Raises:
        StorageError: One could not be stored; none is left behind.
    """
    parts: list[Part] = []
    taken = 0
    try:
        for each in attachments:
            reason = "the mail is too large" if cut else _objection(each, limits, taken)
            name = each.name or each.media_type
            if reason:
                note = f"[attachment not taken: {name} ({reason})]"
                parts.append(Text(text=note, trust=Trust.UNTRUSTED))
                continue
            taken += 1
            parts += _stored(each, folder)
    except OSError as error:
        discard(parts)
        raise StorageError(f"an attachment can not be stored: {error.strerror}") from None
    return parts


def _objection(attachment: Attachment, limits: Limits, taken: int) -> str:
    if not _is_allowed(attachment, limits.types):
        return f"type {attachment.media_type} is not in allowedAttachmentTypes"
    if len(attachment.data) > limits.size:
        return f"larger than {limits.size} bytes"
    if taken >= limits.count:
        return f"more than {limits.count}"
    return ""


def _is_allowed(attachment: Attachment, patterns: tuple[str, ...]) -> bool:
    kind = attachment.media_type.lower()
    if kind in _UNTYPED:
        kind = _SNIFFED.get(suffix_of(attachment.data), kind)
    return any(fnmatchcase(kind, pattern.lower()) for pattern in patterns)


def _stored(attachment: Attachment, folder: Path) -> list[Part]:
    suffix = suffix_of(attachment.data)
    path = folder / (secrets.token_hex(16) + suffix)
    write_private(path, attachment.data)
    kind = PICTURES.get(suffix, attachment.media_type)
    parts: list[Part] = [File(path=str(path), media_type=kind, name=attachment.name)]
    if suffix in PICTURES:
        name = attachment.name or "picture"
        picture = Image(data=attachment.data, media_type=kind, name=name, trust=Trust.UNTRUSTED)
        parts.append(picture)
    return parts


def discard(parts: Iterable[Part]) -> None:
    """Remove the stored files of a mail that led to nothing."""
    for part in parts:
        if isinstance(part, File):
            with suppress(OSError):
                Path(part.path).unlink()


def suffix_of(data: bytes) -> str:
    """Return the ending for a file by what it holds, whatever it was called."""
    for magic, suffix in _MAGIC:
        if data.startswith(magic):
            return _archive(data) if suffix == ".zip" else suffix
    if data[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(data[8:12], ".bin")
    if data[4:8] == b"ftyp":
        return ".m4a" if data[8:11] == b"M4A" else ".mp4"
    try:
        return ".bin" if "\x00" in data.decode() else ".txt"
    except UnicodeDecodeError:
        return ".bin"


def _archive(data: bytes) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
    except Exception:  # the reader has more ways to fail than it documents
        return ".zip"
    if "[Content_Types].xml" in names:
        for folder, suffix in _OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return suffix
    return ".zip"


def to_attach(files: Iterable[Path], limits: Limits) -> tuple[list[tuple[str, bytes]], list[str]]:
    """Read files to attach: their names and contents, and why others are not attached."""
    found: list[tuple[str, bytes]] = []
    failures: list[str] = []
    for path in files:
        try:
            if len(found) >= limits.count:
                raise ValueError(f"more than {limits.count}")
            with path.open("rb") as file:
                data = file.read(limits.size + 1)
            if len(data) > limits.size:
                raise ValueError(f"larger than {limits.size} bytes")
            found.append((path.name, data))
        except OSError as error:
            failures.append(f"{path.name} ({error.strerror})")
        except ValueError as error:
            failures.append(f"{path.name} ({error})")
    return found, failures
