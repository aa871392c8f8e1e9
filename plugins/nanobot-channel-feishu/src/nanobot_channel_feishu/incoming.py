"""From an event of the platform to a message for the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from nanobot.messages import Part, Text, Trust
from nanobot_gateway.channel import ChannelContext, Incoming
from nanobot_gateway.files import shown_name

from nanobot_channel_feishu.api import Api, at
from nanobot_channel_feishu.config import FeishuConfig
from nanobot_channel_feishu.content import (
    Foreign,
    Item,
    Media,
    Mentions,
    mentions_of,
    names_everybody,
    parsed,
    read,
)
from nanobot_channel_feishu.faults import ApiError
from nanobot_channel_feishu.media import part_of

_QUOTED = 200
_FORWARDED = 50
_NAMES = 20
_MEGABYTE = 1_000_000

PRESSED = "nanobot"
"""Key in the value of a button that marks it as made by this channel."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parent:
    """The message that another one answers."""

    text: str
    own: bool


class Reader:
    """Reads events.

    Args:
        api: For files, quoted and forwarded messages.
        bot: The bot's open id.
    """

    def __init__(self, api: Api, config: FeishuConfig, context: ChannelContext, bot: str) -> None:
        self._api = api
        self._config = config
        self._context = context
        self._bot = bot

    async def message(self, event: Mapping[str, Any], tenant: str) -> Incoming | None:
        """Return the message of an ``im.message.receive_v1``, None if a bot wrote it.

        Files and forwarded messages are fetched only of those who are let in.
        """
        sender, message = event.get("sender") or {}, event.get("message") or {}
        if sender.get("sender_type") in ("app", "bot") or not message.get("message_id"):
            return None
        ids = sender.get("sender_id") or {}
        user = str(ids.get("open_id") or "")
        direct = message.get("chat_type") in ("p2p", "private")
        chat = user if direct and user else str(message.get("chat_id") or "")
        items = read(str(message.get("message_type") or ""), message.get("content"))
        mentions = mentions_of(message.get("mentions"), self._bot)
        parent = await self._parent(message)
        mentioned = self._is_mentioned(items, mentions) or (parent is not None and parent.own)
        quote = parent if parent and not message.get("thread_id") else None
        said = Incoming(
            id=str(message["message_id"]),
            sender=user,
            aliases=tuple(str(ids[k]) for k in ("union_id", "user_id") if ids.get(k)),
            chat=chat,
            direct=direct,
            mentioned=mentioned and not direct,
            thread=self._thread(message, direct),
            places=(tenant,) if tenant else (),
            session=self._session(chat),
            reply_to=str(message.get("parent_id") or ""),
            sent_at=_moment(message.get("create_time")),
            parts=(),
        )
        heard = self._context.admits(said)
        return replace(said, parts=await self._parts(message, items, mentions, quote, heard=heard))

    def pressed(self, event: Mapping[str, Any], id: str) -> Incoming | None:
        """Return what a ``card.action.trigger`` says: the label of the button, None if not ours."""
        value = parsed((event.get("action") or {}).get("value"))
        label, place = value.get(PRESSED), event.get("context") or {}
        who = event.get("operator") or {}
        if not isinstance(label, str) or not id:
            return None
        user, direct = str(who.get("open_id") or ""), bool(value.get("direct"))
        chat = user if direct and user else str(place.get("open_chat_id") or "")
        return Incoming(
            id=id,
            sender=user,
            aliases=tuple(str(who[k]) for k in ("union_id", "user_id") if who.get(k)),
            chat=chat,
            direct=direct,
            mentioned=not direct,
            thread=str(value.get("thread") or ""),
            session=self._session(chat),
            reply_to=str(place.get("open_message_id") or ""),
            parts=(Text(text=label),),
        )

    # --- where it belongs ------------------------------------------------------------------------

    def _is_mentioned(self, items: list[Item], mentions: Mentions) -> bool:
        everybody = mentions.everybody or names_everybody(items)
        return bool(mentions.bot) or (self._config.mention_all and everybody)

    def _thread(self, message: Mapping[str, Any], direct: bool) -> str:
        """Name a topic by its first message, to which one can answer at any time.

        Where answers open topics (`replyToMessage`), the message that will begin one is in it.
        """
        if message.get("thread_id") or (self._config.reply_to_message and not direct):
            return str(message.get("root_id") or message["message_id"])
        return ""

    def _session(self, chat: str) -> str:
        return "" if self._config.topic_isolation else chat

    # --- what it says ----------------------------------------------------------------------------

    async def _parts(
        self,
        message: Mapping[str, Any],
        items: list[Item],
        mentions: Mentions,
        quote: _Parent | None,
        *,
        heard: bool,
    ) -> tuple[Part, ...]:
        parts: list[Part] = []
        id = str(message["message_id"])
        if message.get("message_type") == "merge_forward" and heard:
            items = [Foreign(text=await self._forwarded(id))]
        for item in items:
            if isinstance(item, Media):
                parts.append(await self._file(id, item) if heard else Text(text=f"[{item.what}]"))
            elif isinstance(item, Foreign):
                text = mentions.resolve(item.text)
                parts.append(Text(text=text, trust=Trust.UNTRUSTED))
            elif text := mentions.resolve(item):
                parts.append(Text(text=text))
        if quote and quote.text:
            # A command must stay the first thing that is said.
            parts.append(Text(text=f"[Reply to: {quote.text}]", trust=Trust.UNTRUSTED))
        return tuple(parts)

    async def _file(self, id: str, item: Media) -> Part:
        called = f"{item.what} {shown_name(item.name)}".strip()
        limit = self._config.media_max_mb * _MEGABYTE
        if not limit or not item.key:
            return Text(text=f"[{called}: not downloaded]")
        try:
            path = at("im", "v1", "messages", id, "resources", item.key)
            data = await self._api.download(path, item.kind, limit)
            return await part_of(data, item.name, self._context.media)
        except ApiError as error:
            self._context.log.warning("feishu_file_not_kept", reason=str(error))
            return Text(text=f"[{called}: could not be downloaded, {error}]")

    async def _stored(self, id: str) -> list[dict[str, Any]]:
        """Return a message, and those that it forwards, as the platform keeps them."""
        try:
            answer = await self._api.call("GET", at("im", "v1", "messages", id))
        except ApiError as error:
            self._context.log.info("feishu_message_not_read", reason=str(error))
            return []
        items = (answer.get("data") or {}).get("items")
        return [i for i in items if isinstance(i, dict)] if isinstance(items, list) else []

    async def _parent(self, message: Mapping[str, Any]) -> _Parent | None:
        id = str(message.get("parent_id") or "")
        if not id:
            return None
        for item in (await self._stored(id))[:1]:
            text = " ".join(self._said(item).split())
            own = (item.get("sender") or {}).get("id") == self._config.app_id
            cut = text if len(text) <= _QUOTED else text[: _QUOTED - 1] + "…"
            return _Parent(text=cut, own=own)
        return None

    def _said(self, item: Mapping[str, Any]) -> str:
        """Return the text of a stored message."""
        mentions = mentions_of(item.get("mentions"), self._bot)
        texts = []
        for part in read(str(item.get("msg_type") or ""), (item.get("body") or {}).get("content")):
            if isinstance(part, Media):
                texts.append(f"[{part.what} {shown_name(part.name)}".strip() + "]")
            else:
                texts.append(mentions.resolve(part.text if isinstance(part, Foreign) else part))
        return "\n".join(texts)

    async def _forwarded(self, id: str) -> str:
        """Return forwarded messages, a line each; what they forward in turn is among them."""
        items = [i for i in await self._stored(id) if i.get("message_id") != id]
        names: dict[str, str] = {}
        lines = []
        for item in items[:_FORWARDED]:
            who = str((item.get("sender") or {}).get("id") or "")
            if who.startswith("ou_") and who not in names and len(names) < _NAMES:
                names[who] = await self._name(who)
            if item.get("msg_type") != "merge_forward":
                lines.append(f"{names.get(who) or who}: {self._said(item)}")
        if len(items) > _FORWARDED:
            lines.append(f"({len(items) - _FORWARDED} more)")
        return "\n".join(["[forwarded messages]", *lines])

    async def _name(self, user: str) -> str:
        """Return what a user is called, empty when the app may not know."""
        try:
            answer = await self._api.call(
                "GET", at("contact", "v3", "users", user), query={"user_id_type": "open_id"}
            )
        except ApiError:
            return ""
        return str(((answer.get("data") or {}).get("user") or {}).get("name") or "")


def _moment(value: object) -> datetime | None:
    try:
        return datetime.fromtimestamp(int(str(value)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
