"""Sends answers: text with a plan B, files, and buttons."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanobot_gateway.channel import DeliveryError, Outgoing
from nanobot_gateway.files import shown_name
from telegram import Bot, InlineKeyboardButton, InlineKeyboardMarkup, InputFile, ReplyParameters
from telegram.constants import ParseMode
from telegram.error import BadRequest, ChatMigrated

from nanobot_channel_telegram.config import TelegramConfig
from nanobot_channel_telegram.faults import delivering, is_unchanged, refuses_markup, undelivered
from nanobot_channel_telegram.rendering import length, to_html, visible, whole

MAX_LENGTH = 4096
TEXT_DEADLINE_S = 60.0
FILE_DEADLINE_S = 300.0
MAX_UPLOAD = 50 * 1024 * 1024
MAX_PHOTO = 10 * 1024 * 1024
"""Limits of uploads: https://core.telegram.org/bots/api#sending-files."""
CALLBACK_BYTES = 64
REMEMBERED = 200
_KINDS = {
    **dict.fromkeys((".jpg", ".jpeg", ".png", ".webp"), "photo"),
    ".gif": "animation",
    **dict.fromkeys((".mp4", ".m4v", ".mov"), "video"),
    **dict.fromkeys((".ogg", ".oga", ".opus"), "voice"),
    **dict.fromkeys((".mp3", ".m4a"), "audio"),
}


@dataclass(slots=True)
class Progress:
    """How much of a message has gone out, so that another try does not say it twice."""

    first: str = ""
    said: bool = False
    files: int = 0
    refused: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a message goes, as the Bot API names it."""

    chat: int | str
    thread: int | None


class Deliverer:
    """Sends and edits messages of one bot."""

    def __init__(self, bot: Bot, config: TelegramConfig) -> None:
        self._bot = bot
        self._config = config
        self._progress: OrderedDict[str, Progress] = OrderedDict()
        self._moved: dict[int | str, int] = {}

    def address(self, message: Outgoing) -> Address:
        """Return where a message goes; a group that became a supergroup has a new id."""
        chat = _number(message.target.chat)
        thread = message.target.thread
        return Address(self._moved.get(chat, chat), int(thread) if thread.isdigit() else None)

    async def send(self, message: Outgoing) -> str:
        """Send a message with its files; return the id of the first that it became."""
        try:
            return await self._send(message)
        except ChatMigrated as moved:
            self._moved[_number(message.target.chat)] = moved.new_chat_id
        try:
            return await self._send(message)
        except ChatMigrated as moved:
            raise undelivered(moved) from None

    async def _send(self, message: Outgoing) -> str:
        progress = self._progress.setdefault(message.id, Progress())
        while len(self._progress) > REMEMBERED:
            self._progress.popitem(last=False)
        if not progress.said and (message.text.strip() or not message.files):
            progress.first = await self._say(message)
        progress.said = True
        if not message.partial:
            await self._attach(message, progress)
        self._progress.pop(message.id, None)
        return progress.first

    async def edit(self, sent: str, message: Outgoing) -> None:
        """Replace the text of a message; the whole one brings its buttons and files."""
        address = self.address(message)

        async def call(**text: Any) -> object:
            return await self._bot.edit_message_text(
                chat_id=address.chat,
                message_id=int(sent),
                reply_markup=self._keyboard(message),
                **text,
            )

        try:
            await self._in_html_or_plain(self._words(message), call)
        except BadRequest as error:
            if not is_unchanged(error):
                raise undelivered(error) from None
        except ChatMigrated as error:
            raise undelivered(error) from None
        if message.files and not message.partial:
            progress = self._progress.setdefault(message.id, Progress(first=sent, said=True))
            await self._attach(message, progress)
            self._progress.pop(message.id, None)

    # --- text -------------------------------------------------------------------------------------

    async def _say(self, message: Outgoing) -> str:
        address = self.address(message)

        async def call(**text: Any) -> object:
            return await self._bot.send_message(
                chat_id=address.chat,
                message_thread_id=address.thread,
                reply_parameters=self._reply(message),
                reply_markup=self._keyboard(message),
                **text,
            )

        try:
            sent = await self._in_html_or_plain(self._words(message), call)
        except BadRequest as error:
            raise undelivered(error) from None
        return str(getattr(sent, "message_id", ""))

    async def _in_html_or_plain(self, text: str, call: Callable[..., Awaitable[object]]) -> object:
        """Make a call with rendered text, once more with plain text if that is refused.

        A table can be longer rendered than written; then it goes out as it was written.
        """
        html = to_html(text)
        shown = visible(html)
        async with delivering(TEXT_DEADLINE_S):
            if shown.strip() and length(shown) <= MAX_LENGTH:
                try:
                    return await call(text=html, parse_mode=ParseMode.HTML)
                except BadRequest as error:
                    if is_unchanged(error) or not refuses_markup(error):
                        raise
            return await call(text=whole(text), parse_mode=None)

    def _words(self, message: Outgoing) -> str:
        """Return the text, with the choices as a list where there are no buttons for them."""
        labels = [label for row in message.buttons for label in row if label.strip()]
        if not labels or message.partial or self._config.inline_keyboards:
            return message.text
        listed = "\n".join(f"{number}. {label}" for number, label in enumerate(labels, 1))
        return f"{message.text}\n\n{listed}".strip()

    def _keyboard(self, message: Outgoing) -> InlineKeyboardMarkup | None:
        if message.partial or not self._config.inline_keyboards:
            return None
        rows = [
            [
                InlineKeyboardButton(whole(label), callback_data=_data(f"{r}.{c}:{whole(label)}"))
                for c, label in enumerate(row)
                if label.strip()
            ]
            for r, row in enumerate(message.buttons)
        ]
        rows = [row for row in rows if row]
        return InlineKeyboardMarkup(rows) if rows else None

    def _reply(self, message: Outgoing) -> ReplyParameters | None:
        quoted = message.reply_to
        if not quoted and self._config.reply_to_message:
            quoted = message.answers.partition(":")[0]
        if not quoted.isdigit():
            return None
        return ReplyParameters(message_id=int(quoted), allow_sending_without_reply=True)

    # --- files ------------------------------------------------------------------------------------

    async def _attach(self, message: Outgoing, progress: Progress) -> None:
        """Upload the files that are still to go; tell chat and caller which can not go at all."""
        for path in message.files[progress.files :]:
            try:
                sent = await self._upload(message, path)
                progress.first = progress.first or sent
            except DeliveryError as error:
                if error.retryable:
                    raise
                progress.refused.append(f"{shown_name(path.name)}: {error.message}")
            progress.files += 1
        if progress.refused:
            self._progress.pop(message.id, None)
            reasons = "; ".join(progress.refused)
            await self._tell(self.address(message), f"[Could not send {reasons}]"[:MAX_LENGTH])
            raise DeliveryError(f"not all files were sent: {reasons}", retryable=False)

    async def _upload(self, message: Outgoing, path: Path) -> str:
        content = await asyncio.to_thread(_read, path)
        kind = _KINDS.get(path.suffix.lower(), "document")
        if kind == "photo" and len(content) > MAX_PHOTO:
            kind = "document"
        async with delivering(FILE_DEADLINE_S):
            try:
                return await self._upload_as(kind, message, path.name, content)
            except BadRequest as error:
                if kind == "document":
                    raise undelivered(error) from None
            try:  # a picture with odd sides, a sound in another codec: any file may go as itself
                return await self._upload_as("document", message, path.name, content)
            except BadRequest as error:
                raise undelivered(error) from None

    async def _upload_as(self, kind: str, message: Outgoing, name: str, content: bytes) -> str:
        address = self.address(message)
        file = InputFile(content, filename=shown_name(name) or "file")
        method: Callable[..., Awaitable[Any]] = getattr(self._bot, f"send_{kind}")
        sent = await method(
            address.chat,
            file,
            message_thread_id=address.thread,
            reply_parameters=self._reply(message),
        )
        return str(sent.message_id)

    async def _tell(self, address: Address, text: str) -> None:
        try:
            async with delivering(TEXT_DEADLINE_S):
                await self._bot.send_message(
                    chat_id=address.chat, message_thread_id=address.thread, text=whole(text)
                )
        except (BadRequest, ChatMigrated, DeliveryError):
            return  # the caller is told in any case


def _number(chat: str) -> int | str:
    return int(chat) if chat.removeprefix("-").isdigit() else chat


def _data(text: str) -> str:
    """Cut a button's data to what Telegram carries, at the end of a character."""
    return text.encode()[:CALLBACK_BYTES].decode("utf-8", "ignore")


def _read(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if size > MAX_UPLOAD:
            limit = MAX_UPLOAD // 1024 // 1024
            raise DeliveryError(f"it is larger than {limit} MB", retryable=False)
        if not size:
            raise DeliveryError("it is empty", retryable=False)
        return path.read_bytes()
    except OSError as error:
        raise DeliveryError(f"it can not be read ({error.strerror})", retryable=False) from None
