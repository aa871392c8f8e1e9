"""The Telegram channel: one bot, reached by long polling."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from ssl import SSLContext
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx
from nanobot import log
from nanobot.log import redact, remember_secret
from nanobot.messages import Target
from nanobot_gateway.channel import ChannelContext, Incoming, Outgoing, Verdict
from nanobot_gateway.files import discard
from telegram import Bot, BotCommand, CallbackQuery, Update, User
from telegram.constants import ChatAction
from telegram.error import InvalidToken, TelegramError
from telegram.request import HTTPXRequest

from nanobot_channel_telegram.background import Background, Reactions
from nanobot_channel_telegram.config import TelegramConfig
from nanobot_channel_telegram.delivery import Deliverer
from nanobot_channel_telegram.faults import ConnectionLost, lost, missing_token
from nanobot_channel_telegram.incoming import Reader, menu_name
from nanobot_channel_telegram.media import MEGABYTE, MediaStore
from nanobot_channel_telegram.polling import Poller
from nanobot_channel_telegram.secrecy import masked_logs

T = TypeVar("T")

CONNECT_S = 30.0
ASK_S = 20.0
"""Seconds that an answer may take beyond what a long poll waits."""
MENU_SIZE = 100
DESCRIPTION_LENGTH = 256


class Updates(HTTPXRequest):
    """Fetches updates; one that the SDK can not read must not keep back all that follow."""

    @staticmethod
    def parse_json_payload(payload: bytes) -> Any:
        """Leave of an unreadable update nothing but its id."""
        data: Any = HTTPXRequest.parse_json_payload(payload)
        if isinstance(data, dict) and isinstance(data.get("result"), list):
            data["result"] = [_readable(update) for update in data["result"]]
        return data


class TelegramChannel:
    """One bot.

    Args:
        bot: The bot; its connections belong to whoever made it.
        media: Where files that come in are fetched to.
    """

    def __init__(
        self,
        config: TelegramConfig,
        context: ChannelContext,
        bot: Bot,
        media: MediaStore,
        background: Background,
    ) -> None:
        self.edit_interval_s = config.stream_edit_interval
        self._config = config
        self._context = context
        self._bot = bot
        self._media = media
        self._background = background
        self._reactions = Reactions(bot, config.react_emoji, background)
        self._deliverer = Deliverer(bot, config)
        self._poller = Poller(self._ask, self._take, context.clock, context.log)
        self._reader: Reader | None = None

    async def run(self) -> None:
        """Connect, and bring messages in until cancelled.

        Raises:
            ConfigError: Telegram does not know the token.
            ConnectionLost: Telegram can not be reached, or another program reads the messages.
        """
        me = await self._connect()
        self._reader = Reader(me, self._config, self._media, self._context)
        self._context.ready()
        await self._poller.run()

    async def identify(self) -> User:
        """Return the bot's own account; its token has proven right then."""
        return await self._asked(self._bot.get_me())

    async def _asked(self, answer: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(CONNECT_S):
                return await answer
        except (TelegramError, TimeoutError) as error:
            raise lost(error, setting(self._context), self._config.api_base) from None

    async def _connect(self) -> User:
        me = await self.identify()
        await self._asked(self._bot.delete_webhook(drop_pending_updates=False))
        if self._config.group_policy == "open" and not me.can_read_all_group_messages:
            self._context.log.warning(
                "privacy_mode",
                remedy="groupPolicy is open, but the bot only sees commands and replies in groups: "
                "switch its privacy mode off with /setprivacy at @BotFather, and add it again",
            )
        self._background.start("no_menu", self._bot.set_my_commands(self._menu()))
        return me

    def _menu(self) -> list[BotCommand]:
        by_name = {menu_name(spec.name): spec for spec in self._context.commands()}
        return [
            BotCommand(name, (spec.description or spec.name)[:DESCRIPTION_LENGTH])
            for name, spec in by_name.items()
        ][:MENU_SIZE]

    async def _ask(self, offset: int | None, wait: int) -> Sequence[Update]:
        kinds = ["message", "callback_query"]
        if self._config.edited_messages:
            kinds.append("edited_message")
        try:
            async with asyncio.timeout(wait + ASK_S + CONNECT_S):
                return await self._bot.get_updates(
                    offset=offset, timeout=wait, allowed_updates=kinds, read_timeout=ASK_S
                )
        except InvalidToken as error:  # or a proxy's "not found"; connecting anew tells which
            raise ConnectionLost(f"Telegram refused to give messages: {error.message}") from None
        except (TelegramError, TimeoutError) as error:
            raise lost(error, setting(self._context), self._config.api_base) from None

    # --- in ---------------------------------------------------------------------------------------

    async def _take(self, updates: Sequence[Update]) -> None:
        """Hand over what some updates say; they count as stored when this returns."""
        assert self._reader
        query = updates[0].callback_query
        if query:
            await self._press(query, self._reader)
            return
        edited = updates[0].edited_message
        if edited and edited.location:  # a live location moves all the time
            return
        if message := await self._reader.message(updates):
            await self._accept(message)

    async def _accept(self, message: Incoming) -> None:
        try:
            accepted = await self._context.accept(message)
        except BaseException:
            discard(message.parts)
            raise
        if accepted.verdict in (Verdict.TURN, Verdict.JOINED):
            self._reactions.show(message.chat, _message_id(message), accepted.turn or message.id)
        elif accepted.verdict is not Verdict.COMMAND:
            discard(message.parts)

    async def _press(self, query: CallbackQuery, reader: Reader) -> None:
        message = reader.press(query)
        if message:
            accepted = await self._context.accept(message)
            if accepted.verdict in (Verdict.TURN, Verdict.JOINED, Verdict.COMMAND):
                self._background.start(
                    "buttons_stay",
                    self._bot.edit_message_reply_markup(int(message.chat), _message_id(message)),
                )
        self._background.start("press_not_answered", self._bot.answer_callback_query(query.id))

    # --- out --------------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> str:
        """Deliver a message; see `nanobot_gateway.channel.Channel.send`."""
        sent = await self._deliverer.send(message)
        if not message.partial:
            self._reactions.clear(message.target.chat, message.answers)
        return sent

    async def edit(self, sent: str, message: Outgoing) -> None:
        """Replace the text of a message; see `nanobot_gateway.channel.Edits.edit`."""
        await self._deliverer.edit(sent, message)
        if not message.partial:
            self._reactions.clear(message.target.chat, message.answers)

    async def typing(self, target: Target, *, on: bool) -> None:
        """Say that an answer is being written; Telegram forgets it after five seconds."""
        if on and target.chat.removeprefix("-").isdigit():
            thread = int(target.thread) if target.thread.isdigit() else None
            self._background.start(
                "no_typing",
                self._bot.send_chat_action(
                    int(target.chat), ChatAction.TYPING, message_thread_id=thread
                ),
            )


@asynccontextmanager
async def open_channel(
    config: TelegramConfig, context: ChannelContext
) -> AsyncIterator[TelegramChannel]:
    """Open the bot's connections; nothing is sent before `TelegramChannel.run`."""
    if not config.token:
        raise missing_token(setting(context))
    token = config.token.reveal()
    remember_secret(token)
    if config.proxy and (password := urlsplit(config.proxy).password):
        remember_secret(password)
    os.environ.setdefault("PTB_TIMEDELTA", "true")  # the SDK's way to choose its coming behaviour
    async with AsyncExitStack() as stack:
        stack.enter_context(masked_logs())
        trusted = httpx.create_ssl_context()  # one for all, as making one takes its time
        bot = Bot(
            token,
            base_url=f"{config.api_base}/bot",
            base_file_url=f"{config.api_base}/file/bot",
            request=await _request(
                stack, HTTPXRequest, config, config.connection_pool_size, trusted
            ),
            get_updates_request=await _request(stack, Updates, config, 4, trusted),
        )
        client = await stack.enter_async_context(
            httpx.AsyncClient(proxy=config.proxy, timeout=CONNECT_S, verify=trusted)
        )
        files = f"{config.api_base}/file/bot{token}"
        limit = config.max_file_mb * MEGABYTE
        media = MediaStore(bot, client, files, context.media, limit, context.log)
        background = Background(context.log)
        stack.push_async_callback(background.close)
        yield TelegramChannel(config, context, bot, media, background)


async def _request(
    stack: AsyncExitStack,
    kind: type[HTTPXRequest],
    config: TelegramConfig,
    size: int,
    trusted: SSLContext,
) -> HTTPXRequest:
    request = kind(
        connection_pool_size=size,
        proxy=config.proxy,
        connect_timeout=CONNECT_S,
        read_timeout=CONNECT_S,
        write_timeout=CONNECT_S,
        pool_timeout=config.pool_timeout,
        media_write_timeout=CONNECT_S * 4,
        httpx_kwargs={"verify": trusted},
    )
    stack.push_async_callback(request.shutdown)
    await request.initialize()
    return request


def setting(context: ChannelContext) -> str:
    """Return the name of the setting that holds the token of this account."""
    if context.account == "default":
        return "channels.telegram.token"
    return f"channels.telegram.accounts.{context.account}.token"


def _message_id(message: Incoming) -> int:
    return int(message.id.partition(":")[0])


def _readable(update: Any) -> Any:
    try:
        Update.de_json(dict(update), None)
    except Exception as error:  # whatever the SDK stumbles over
        if not isinstance(update, dict) or "update_id" not in update:
            raise
        reason = redact(f"{type(error).__name__}: {error}")
        log.get(plugin="channels.telegram").warning("update_not_readable", reason=reason)
        return {"update_id": update["update_id"]}
    return update
