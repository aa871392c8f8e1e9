"""Fetches files that people sent, and keeps them under names that nobody else chose."""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from nanobot.errors import StorageError
from nanobot.log import Logger, redact
from nanobot.messages import File, Image, Part, Text, Trust
from telegram import Bot
from telegram.error import BadRequest, TelegramError

from nanobot_channel_telegram.faults import is_passing

DEADLINE_S = 120.0
ATTEMPTS = 2
MEGABYTE = 1024 * 1024

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", ".png"),
    (b"\xff\xd8\xff", ".jpg"),
    (b"GIF87a", ".gif"),
    (b"GIF89a", ".gif"),
    (b"%PDF-", ".pdf"),
    (b"PK\x03\x04", ".zip"),
    (b"OggS", ".ogg"),
    (b"ID3", ".mp3"),
    (b"\xff\xfb", ".mp3"),
    (b"\xff\xf3", ".mp3"),
    (b"\x1a\x45\xdf\xa3", ".mkv"),
    (b"fLaC", ".flac"),
    (b"\x1f\x8b", ".gz"),
)
_OFFICE = {"word/": ".docx", "xl/": ".xlsx", "ppt/": ".pptx"}
_PICTURES = {".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif", ".webp": "image/webp"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """A file as Telegram announces it.

    Args:
        kind: What Telegram calls it: photo, document, voice, audio, video, ...
        file: Telegram's id to fetch it by.
        size: Bytes, 0 when Telegram does not say.
        name: The sender's name for it; only ever shown.
    """

    kind: str
    file: str
    size: int = 0
    name: str = ""
    media_type: str = ""

    @property
    def shown(self) -> str:
        """Return what to call it in a text."""
        return f"{self.kind}: {shown_name(self.name)}" if self.name else self.kind


class MediaStore:
    """Fetches files into a folder.

    Args:
        files: Address of the Bot API server's files, with the token.
        limit: Largest file to fetch, in bytes.
    """

    def __init__(
        self, bot: Bot, client: httpx.AsyncClient, files: str, folder: Path, limit: int, log: Logger
    ) -> None:
        self._bot = bot
        self._client = client
        self._files = files
        self._folder = folder
        self._limit = limit
        self._log = log

    async def fetch(self, attachment: Attachment, trust: Trust) -> Part:
        """Fetch a file; what can not be fetched becomes a text that says so.

        Raises:
            StorageError: It could not be written to disk.
        """
        if attachment.size > self._limit:
            return self._too_large(attachment)
        for attempt in range(1, ATTEMPTS + 1):
            try:
                async with asyncio.timeout(DEADLINE_S):
                    path = await self._download(attachment)
            except BadRequest as error:
                if "too big" in error.message.lower():
                    return self._too_large(attachment)
                return self._failed(attachment, error)
            except (TelegramError, httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
                passing = isinstance(error, httpx.HTTPError | httpx.InvalidURL) or is_passing(error)
                if attempt == ATTEMPTS or not passing:
                    return self._failed(attachment, error)
            else:
                return (
                    self._too_large(attachment) if path is None else _part(attachment, path, trust)
                )
        raise AssertionError("unreachable")

    async def _download(self, attachment: Attachment) -> Path | None:
        """Store a file; None when it turns out to be larger than allowed."""
        about = await self._bot.get_file(attachment.file)
        remote = about.file_path or ""
        url = remote if remote.startswith(self._files) else f"{self._files}/{remote}"
        async with self._client.stream("GET", url) as answer:
            answer.raise_for_status()
            return await self._store(answer)

    async def _store(self, answer: httpx.Response) -> Path | None:
        path = self._folder / secrets.token_hex(16)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NOFOLLOW, 0o600)
            with os.fdopen(handle, "wb") as file:
                async for chunk in answer.aiter_bytes(64 * 1024):
                    if file.tell() + len(chunk) > self._limit:
                        path.unlink()
                        return None
                    file.write(chunk)
            return path.rename(path.with_suffix(_suffix(path)))
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StorageError(f"a file that came in can not be stored: {error.strerror}") from None
        except BaseException:
            path.unlink(missing_ok=True)
            raise

    def _too_large(self, attachment: Attachment) -> Text:
        limit = self._limit // MEGABYTE
        return Text(text=f"[{attachment.shown}: not fetched, it is larger than {limit} MB]")

    def _failed(self, attachment: Attachment, error: Exception) -> Text:
        reason = redact(str(error)) or type(error).__name__
        self._log.warning("file_not_fetched", kind=attachment.kind, reason=reason)
        return Text(text=f"[{attachment.shown}: could not be fetched from Telegram]")


def discard(parts: Iterable[Part]) -> None:
    """Remove the stored files of a message that led to nothing."""
    for part in parts:
        if isinstance(part, File):
            with suppress(OSError):
                Path(part.path).unlink()


def shown_name(name: str) -> str:
    """Return a file name for reading: one short line without control characters."""
    return re.sub(r"[\x00-\x1f\x7f\u2028\u2029\u202a-\u202e\u2066-\u2069]+", " ", name)[
        :120
    ].strip()


def _part(attachment: Attachment, path: Path, trust: Trust) -> Part:
    if attachment.kind == "photo" and path.suffix in _PICTURES:
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"a picture can not be read back: {error.strerror}") from None
        path.unlink(missing_ok=True)
        return Image(data=data, media_type=_PICTURES[path.suffix], name="photo", trust=trust)
    return File(path=str(path), media_type=attachment.media_type, name=shown_name(attachment.name))


def _suffix(path: Path) -> str:
    """Return the ending for a file by what it holds, whatever it was called."""
    with path.open("rb") as file:
        head = file.read(4096)
    for magic, suffix in _MAGIC:
        if head.startswith(magic):
            return _archive(path) if suffix == ".zip" else suffix
    if head[:4] == b"RIFF":
        return {b"WEBP": ".webp", b"WAVE": ".wav"}.get(head[8:12], ".bin")
    if head[4:8] == b"ftyp":
        return ".m4a" if head[8:11] == b"M4A" else ".mp4"
    try:
        text = head.decode()
    except UnicodeDecodeError as error:  # a character may be cut at the end of what was read
        if error.start < len(head) - 3:
            return ".bin"
        text = head[: error.start].decode()
    return ".bin" if "\x00" in text else ".txt"


def _archive(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError):  # damaged, or of another kind
        return ".zip"
    if "[Content_Types].xml" in names:
        for folder, suffix in _OFFICE.items():
            if any(name.startswith(folder) for name in names):
                return suffix
    return ".zip"
