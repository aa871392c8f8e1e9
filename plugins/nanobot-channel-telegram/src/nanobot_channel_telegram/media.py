"""Fetches files that people sent, and keeps them under names that nobody else chose."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import httpx
from nanobot.errors import StorageError
from nanobot.log import Logger, redact
from nanobot.messages import File, Image, Part, Text, Trust
from nanobot_gateway.files import Kept, receive, shown_name
from telegram import Bot
from telegram.error import BadRequest, TelegramError

from nanobot_channel_telegram.faults import is_passing

DEADLINE_S = 120.0
ATTEMPTS = 2
CHUNK = 64 * 1024
MEGABYTE = 1024 * 1024


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
                    kept = await self._download(attachment)
            except BadRequest as error:
                if "too big" in error.message.lower():
                    return self._too_large(attachment)
                return self._failed(attachment, error)
            except (TelegramError, httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
                passing = isinstance(error, httpx.HTTPError | httpx.InvalidURL) or is_passing(error)
                if attempt == ATTEMPTS or not passing:
                    return self._failed(attachment, error)
            else:
                return _part(attachment, kept, trust) if kept else self._too_large(attachment)
        raise AssertionError("unreachable")

    async def _download(self, attachment: Attachment) -> Kept | None:
        """Store a file; None when it turns out to be larger than allowed."""
        about = await self._bot.get_file(attachment.file)
        remote = about.file_path or ""
        url = remote if remote.startswith(self._files) else f"{self._files}/{remote}"
        async with self._client.stream("GET", url) as answer:
            answer.raise_for_status()
            return await receive(answer.aiter_bytes(CHUNK), self._folder, self._limit)

    def _too_large(self, attachment: Attachment) -> Text:
        limit = self._limit // MEGABYTE
        return Text(text=f"[{attachment.shown}: not fetched, it is larger than {limit} MB]")

    def _failed(self, attachment: Attachment, error: Exception) -> Text:
        reason = redact(str(error)) or type(error).__name__
        self._log.warning("file_not_fetched", kind=attachment.kind, reason=reason)
        return Text(text=f"[{attachment.shown}: could not be fetched from Telegram]")


def _part(attachment: Attachment, kept: Kept, trust: Trust) -> Part:
    if attachment.kind == "photo" and kept.kind.picture:
        try:
            data = kept.path.read_bytes()
        except OSError as error:
            raise StorageError(f"a picture can not be read back: {error.strerror}") from None
        kept.path.unlink(missing_ok=True)
        return Image(data=data, media_type=kept.kind.media_type, name="photo", trust=trust)
    media_type = attachment.media_type or kept.kind.media_type
    return File(path=str(kept.path), media_type=media_type, name=shown_name(attachment.name))
