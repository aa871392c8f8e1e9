"""Turns what Telegram tells into messages for the agent."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from nanobot.messages import Part, Text, Trust
from nanobot_gateway.channel import ChannelContext, Incoming
from telegram import (
    CallbackQuery,
    Message,
    MessageEntity,
    MessageOrigin,
    MessageOriginChannel,
    MessageOriginChat,
    MessageOriginHiddenUser,
    MessageOriginUser,
    PhotoSize,
    Update,
    User,
)
from telegram.constants import ChatType, MessageEntityType

from nanobot_channel_telegram.config import TelegramConfig
from nanobot_channel_telegram.media import Attachment, MediaStore

QUOTE_LENGTH = 4000
_COMMAND = re.compile(r"/(?P<name>[A-Za-z0-9_]{1,32})(?:@(?P<bot>\w+))?(?=\s|$)")
_FETCHED = ("animation", "audio", "document", "video", "video_note", "voice")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a message stands: chat, topic, and the session of its own that a topic has."""

    chat: str
    direct: bool
    thread: str
    session: str


class Reader:
    """Reads messages and presses of buttons.

    Args:
        me: The bot's own account.
        context: Tells whose files to fetch, and the slash commands; Telegram writes ``-`` in their
            names as ``_``.
    """

    def __init__(
        self, me: User, config: TelegramConfig, media: MediaStore, context: ChannelContext
    ) -> None:
        self._me = me
        self._config = config
        self._media = media
        self._admits = context.admits
        self._commands = context.commands

    async def message(self, updates: Sequence[Update]) -> Incoming | None:
        """Read a message, or the messages of an album as one; None when they say nothing.

        Files are fetched only of those who are let in.

        Raises:
            nanobot.errors.StorageError: A file of it could not be written to disk.
        """
        messages = [m for update in updates if (m := update.message or update.edited_message)]
        messages.sort(key=lambda message: message.message_id)
        if not messages or not any(map(_says_something, messages)):
            return None
        first = messages[0]
        sender = _sender(first)
        place = self._place(first)
        replied = _replied(first)
        message = Incoming(
            id=_id(updates[0], messages),
            sender=sender,
            chat=place.chat,
            direct=place.direct,
            mentioned=any(map(self._is_for_me, messages)),
            thread=place.thread,
            session=place.session,
            reply_to=str(replied.message_id) if replied else "",
            sent_at=first.date,
            parts=(),
        )
        fetch = self._admits(message)
        return replace(message, parts=await self._parts(messages, replied, fetch))

    def press(self, query: CallbackQuery) -> Incoming | None:
        """Read the press of a button as its label, said by who pressed it."""
        message = query.message
        if message is None:
            return None
        label = _label(query)
        if not label:
            return None
        place = (
            self._place(message)
            if isinstance(message, Message)
            else self._place_of(message.chat.id, message.chat.type, None)
        )
        return Incoming(
            id=f"{message.message_id}:press:{query.id}",
            sender=str(query.from_user.id),
            chat=place.chat,
            direct=place.direct,
            mentioned=True,
            thread=place.thread,
            session=place.session,
            reply_to=str(message.message_id),
            parts=(Text(text=label),),
        )

    # --- where, and to whom -----------------------------------------------------------------------

    def _place(self, message: Message) -> Place:
        thread = message.message_thread_id if message.is_topic_message else None
        return self._place_of(message.chat.id, message.chat.type, thread)

    def _place_of(self, chat: int, kind: str, thread: int | None) -> Place:
        return Place(
            chat=str(chat),
            direct=kind == ChatType.PRIVATE,
            thread=str(thread) if thread else "",
            session=f"{chat}:topic:{thread}" if thread else "",
        )

    def _is_for_me(self, message: Message) -> bool:
        replied = _replied(message)
        if replied and replied.from_user and replied.from_user.id == self._me.id:
            return True
        name = f"@{self._me.username or ''}".lower()
        for entity, text in _entities(message).items():
            if entity.type == MessageEntityType.MENTION and text.lower() == name:
                return True
            if entity.type == MessageEntityType.BOT_COMMAND and text.lower().endswith(name):
                return True
            if entity.user and entity.user.id == self._me.id:  # a mention without a user name
                return True
        return False

    # --- what -------------------------------------------------------------------------------------

    async def _parts(
        self, messages: Sequence[Message], replied: Message | None, fetch: bool
    ) -> tuple[Part, ...]:
        parts: list[Part] = []
        text = "\n".join(filter(None, map(self._text, messages)))
        command = bool(_COMMAND.match(text)) and messages[0].forward_origin is None
        if replied and not command:  # a command stays the first word
            parts.extend(await self._quoted(messages[0], replied, fetch))
        for message in messages:
            trust = Trust.UNTRUSTED if message.forward_origin else Trust.TRUSTED
            if attachment := _attachment(message, self._config.max_file_mb * 1024 * 1024):
                parts.append(await self._fetched(attachment, trust, fetch))
        if text:
            origin = messages[0].forward_origin
            said = f"[Forwarded from {_origin(origin)}]\n{text}" if origin else text
            trust = Trust.UNTRUSTED if origin else Trust.TRUSTED
            parts.append(Text(text=said, trust=trust))
        return tuple(parts)

    async def _quoted(self, message: Message, replied: Message, fetch: bool) -> list[Part]:
        """Render the message that is answered: what was quoted of it, else all, and its file."""
        mine = bool(replied.from_user and replied.from_user.id == self._me.id)
        own = bool(replied.from_user and replied.from_user == message.from_user)
        trust = Trust.TRUSTED if own else Trust.UNTRUSTED
        parts: list[Part] = []
        attachment = _attachment(replied, self._config.max_file_mb * 1024 * 1024)
        if attachment and not mine:
            parts.append(await self._fetched(attachment, trust, fetch))
        quote = message.quote.text if message.quote else self._text(replied)
        if quote:
            who = "bot" if mine else _name(replied)
            parts.append(Text(text=f"[Reply to {who}: {quote[:QUOTE_LENGTH]}]", trust=trust))
        return parts

    async def _fetched(self, attachment: Attachment, trust: Trust, fetch: bool) -> Part:
        if not fetch:
            return Text(text=f"[{attachment.shown}]")
        return await self._media.fetch(attachment, trust)

    def _text(self, message: Message) -> str:
        """Return the words of a message, or what stands for content without words."""
        text = message.text or message.caption or ""
        text = self._command(text) or text
        hidden = [
            e.url for e in _entities(message) if e.type == MessageEntityType.TEXT_LINK and e.url
        ]
        if hidden:
            text += "\n[links: " + ", ".join(hidden) + "]"
        return "\n".join(filter(None, (_described(message), text)))

    def _command(self, text: str) -> str:
        """Return a command without the bot's name, by the name that it has here."""
        found = _COMMAND.match(text)
        if (
            not found
            or (found["bot"] or self._me.username or "").lower()
            != (self._me.username or "").lower()
        ):
            return ""
        known = {menu_name(spec.name): spec.name for spec in self._commands()}
        name = known.get(found["name"].lower(), found["name"])
        if name == "start" and "start" not in known and "help" in known:
            return "/help"  # what the button that opens every chat with a bot sends
        return f"/{name}{text[found.end() :]}"


def menu_name(command: str) -> str:
    """Return the name of a command as Telegram allows it: lower case, digits, underscores."""
    return re.sub(r"[^a-z0-9_]", "_", command.lower())[:32]


def _id(update: Update, messages: Sequence[Message]) -> str:
    """Return an id that no other event of the chat has, and that a redelivery repeats.

    Plain digits are a message; everything else has a word between colons. Edits carry the id of
    their update, as several may fall into one second.
    """
    first, last = messages[0].message_id, messages[-1].message_id
    if update.edited_message:
        return f"{first}:edit:{update.update_id}"
    if messages[0].media_group_id:
        return f"{first}:album:{last}"
    return str(first)


def _sender(message: Message) -> str:
    """Return who wrote; for an anonymous administrator or a channel, the chat that speaks.

    Such messages carry a user id that all of Telegram shares, so it identifies nobody.
    """
    if message.sender_chat:
        return str(message.sender_chat.id)
    return str(message.from_user.id) if message.from_user else ""


def _replied(message: Message) -> Message | None:
    """Return the message that is answered; the head of a topic is none, it hangs on them all."""
    replied = message.reply_to_message
    if replied is None or replied.forum_topic_created:
        return None
    if message.is_topic_message and replied.message_id == message.message_thread_id:
        return None
    return replied


def _entities(message: Message) -> dict[MessageEntity, str]:
    if message.text:
        return message.parse_entities()
    return message.parse_caption_entities() if message.caption else {}


def _says_something(message: Message) -> bool:
    return bool(message.text or message.effective_attachment)


def _attachment(message: Message, limit: int) -> Attachment | None:
    """Return the file of a message: of a photo, the largest size within the limit."""
    if message.photo:
        photo = _largest(message.photo, limit)
        return Attachment(kind="photo", file=photo.file_id, size=photo.file_size or 0)
    for kind in _FETCHED:
        if file := getattr(message, kind):
            return Attachment(
                kind=kind.replace("_", " "),
                file=file.file_id,
                size=file.file_size or 0,
                name=getattr(file, "file_name", None) or "",
                media_type=getattr(file, "mime_type", None) or "",
            )
    return None


def _largest(sizes: Iterable[PhotoSize], limit: int) -> PhotoSize:
    ordered = sorted(sizes, key=lambda size: size.width * size.height)
    fitting = [size for size in ordered if (size.file_size or 0) <= limit]
    return (fitting or ordered)[-1]


def _described(message: Message) -> str:
    """Return words for content that is neither text nor a file."""
    if message.venue:
        spot = message.venue.location
        return f"[venue: {message.venue.title}, {spot.latitude}, {spot.longitude}]"
    if message.location:
        return f"[location: {message.location.latitude}, {message.location.longitude}]"
    if message.contact:
        return f"[contact: {message.contact.first_name}, {message.contact.phone_number}]"
    if message.sticker:
        return f"[sticker: {message.sticker.emoji or 'without emoji'}]"
    if message.poll:
        options = ", ".join(option.text for option in message.poll.options)
        return f"[poll: {message.poll.question} ({options})]"
    if message.dice:
        return f"[dice: {message.dice.emoji} {message.dice.value}]"
    if message.photo or any(getattr(message, kind) for kind in _FETCHED):
        return ""
    if message.effective_attachment:
        return f"[{type(message.effective_attachment).__name__}: not supported]"
    return ""


def _one_line(name: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:120]


def _name(message: Message) -> str:
    if message.sender_chat:
        return _one_line(message.sender_chat.effective_name or "a chat")
    user = message.from_user
    if user is None:
        return "somebody"
    return f"@{user.username}" if user.username else _one_line(user.full_name)


def _origin(origin: MessageOrigin) -> str:
    if isinstance(origin, MessageOriginUser):
        user = origin.sender_user
        return f"@{user.username}" if user.username else _one_line(user.full_name)
    if isinstance(origin, MessageOriginHiddenUser):
        return _one_line(origin.sender_user_name)
    if isinstance(origin, MessageOriginChat):
        return _one_line(origin.sender_chat.effective_name or "a chat")
    if isinstance(origin, MessageOriginChannel):
        return _one_line(origin.chat.effective_name or "a channel")
    return "somebody"


def _label(query: CallbackQuery) -> str:
    """Return the pressed button's label: as shown, else what its data holds of it."""
    markup = query.message.reply_markup if isinstance(query.message, Message) else None
    for row in markup.inline_keyboard if markup else ():
        for button in row:
            if button.callback_data == query.data:
                return button.text
    return (query.data or "").partition(":")[2]
