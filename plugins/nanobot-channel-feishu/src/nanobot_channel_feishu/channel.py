"""The channel: one app of the platform, connected."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import httpx
from nanobot.config import Secret
from nanobot.errors import ConfigError, NanobotError
from nanobot.log import remember_secret
from nanobot.messages import Target
from nanobot_gateway.channel import ChannelContext, Outgoing, Verdict
from nanobot_gateway.files import discard

from nanobot_channel_feishu.api import CALL_S, Api, Endpoint
from nanobot_channel_feishu.config import FeishuConfig
from nanobot_channel_feishu.connection import SDK, Connection
from nanobot_channel_feishu.content import parsed
from nanobot_channel_feishu.faults import ApiError
from nanobot_channel_feishu.incoming import Reader
from nanobot_channel_feishu.reactions import Reactions
from nanobot_channel_feishu.sender import Sender
from nanobot_channel_feishu.streams import Streams

_CONSOLE = "the developer console (open.feishu.cn/app or open.larksuite.com/app)"


@asynccontextmanager
async def open_channel(
    config: FeishuConfig, context: ChannelContext
) -> AsyncIterator[FeishuChannel]:
    """Open one app of Feishu or Lark."""
    for secret in (config.app_secret, config.encrypt_key, config.verification_token):
        if secret:
            remember_secret(secret.reveal())
    async with httpx.AsyncClient(
        base_url=config.site, timeout=CALL_S, headers={"user-agent": "nanobot"}
    ) as http:
        channel = FeishuChannel(config, context, http)
        try:
            yield channel
        finally:
            await channel.close()


class FeishuChannel:
    """One app; implements `nanobot_gateway.channel.Channel`, `Edits` and `Typing`."""

    edit_interval_s = 0.5

    def __init__(
        self, config: FeishuConfig, context: ChannelContext, http: httpx.AsyncClient
    ) -> None:
        self._config = config
        self._context = context
        self._log = context.log
        secret = config.app_secret or Secret("")
        self._api = Api(http, config.app_id, secret, context.clock)
        self._reader = Reader(self._api, config, context, bot="")
        self._sender = Sender(self._api, self._log, replies=config.reply_to_message)
        self._streams = Streams(self._api, self._sender, self._log)
        self._reactions = Reactions(
            self._api, self._log, working=config.react_emoji, done=config.done_emoji or ""
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self._working: dict[str, asyncio.Task[Any]] = {}  # by message id
        self._last: dict[str, asyncio.Task[Any]] = {}  # by chat

    async def close(self) -> None:
        """End what is still being done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- the connection --------------------------------------------------------------------------

    async def run(self) -> None:
        """Connect and bring messages in until the connection is lost."""
        bot, endpoint = await self.check()
        id = str(bot.get("open_id") or "")
        self._reader = Reader(self._api, self._config, self._context, id)
        connection = Connection(endpoint, self._deliver, self._log)
        try:
            await connection.serve(self._context.ready)
        except ApiError as error:
            raise self._subscription(error) from None

    async def check(self) -> tuple[dict[str, Any], Endpoint]:
        """Return what the platform tells of the bot, and where to connect.

        Raises:
            ConfigError: The app's id or secret is wrong, or something is not switched on for it.
            NanobotError: The platform can not be reached at the moment.
        """
        bot = await self._identify()
        return bot, await self._endpoint()

    async def _identify(self) -> dict[str, Any]:
        section = self.section
        for key, value in (("appId", self._config.app_id), ("appSecret", self._config.app_secret)):
            if not value:
                raise ConfigError(
                    f"{section}.{key} is not set",
                    remedy=f"Copy it from the app's page in {_CONSOLE}.",
                )
        try:
            await self._api.token()
        except ApiError as error:
            if error.retryable:
                raise NanobotError(f"Feishu: {error}") from None
            raise ConfigError(
                f"the platform refuses {section}.appId and {section}.appSecret: {error}",
                remedy=f"Copy both from the app's page in {_CONSOLE}; {section}.domain must be "
                "`feishu` or `lark`, whichever the app was made on.",
            ) from None
        try:
            answer = await self._api.call("GET", "/bot/v3/info")
        except ApiError as error:
            if error.retryable:
                raise NanobotError(f"Feishu: {error}") from None
            raise ConfigError(
                f"the app of {section}.appId has no bot: {error}",
                remedy=f"Switch on the bot ability in {_CONSOLE} and publish a version.",
            ) from None
        return answer.get("bot") or {}

    async def _endpoint(self) -> Endpoint:
        try:
            return await self._api.endpoint()
        except ApiError as error:
            raise self._subscription(error) from None

    def _subscription(self, error: ApiError) -> NanobotError:
        if error.retryable:
            return NanobotError(f"Feishu: {error}")
        return ConfigError(
            f"the platform refuses the app of {self.section}.appId: {error}",
            remedy=f"Set the app's event subscription to the long connection in {_CONSOLE}.",
        )

    @property
    def section(self) -> str:
        """Return the path of the app's settings."""
        account = self._context.account
        return "channels.feishu" + ("" if account == "default" else f".accounts.{account}")

    # --- in --------------------------------------------------------------------------------------

    async def _deliver(self, payload: bytes) -> None:
        """Take an event; returning acknowledges it."""
        event = self._opened(payload)
        header, body = event.get("header") or {}, event.get("event") or {}
        kind = header.get("event_type")
        if kind == "im.message.receive_v1":
            message = body.get("message") or {}
            id, chat = str(message.get("message_id") or ""), str(message.get("chat_id") or "")
            await self._once(id, chat, body, str(header.get("tenant_key") or ""))
        elif kind == "card.action.trigger":
            pressed = self._reader.pressed(body, str(header.get("event_id") or ""))
            if pressed:
                await self._context.accept(pressed)

    def _opened(self, payload: bytes) -> dict[str, Any]:
        """Return an event, decrypted where the app encrypts, and from the platform."""
        event = parsed(payload.decode(errors="replace"))
        if isinstance(event.get("encrypt"), str):
            if not self._config.encrypt_key:
                raise ConfigError(f"events are encrypted and {self.section}.encryptKey is not set")
            cipher = SDK.cipher(self._config.encrypt_key.reveal())
            event = parsed(cipher.decrypt_str(event["encrypt"]))
        token = str((event.get("header") or {}).get("token") or "")
        expected = self._config.verification_token
        if expected and token and Secret(token) != expected:
            raise ConfigError(f"an event has another token than {self.section}.verificationToken")
        return event

    async def _once(self, id: str, chat: str, body: dict[str, Any], tenant: str) -> None:
        """Work on a message, and only once when it is delivered again meanwhile.

        The work outlives the connection on which it came: what was downloaded is not lost then.
        """
        work = self._working.get(id)
        if work is None:
            work = self._start(self._take(body, tenant, self._last.get(chat)))
            self._working[id] = self._last[chat] = work
            work.add_done_callback(lambda done: self._forget(id, chat, done))
        await asyncio.shield(work)

    def _forget(self, id: str, chat: str, done: asyncio.Task[Any]) -> None:
        self._working.pop(id, None)
        if self._last.get(chat) is done:
            del self._last[chat]
        if not done.cancelled():
            done.exception()  # whoever waits for it gets it; nobody may

    async def _take(
        self, body: dict[str, Any], tenant: str, before: asyncio.Task[Any] | None
    ) -> None:
        """Read a message and hand it over, after the one before it in the chat."""
        message = await self._reader.message(body, tenant)
        if before:
            await asyncio.wait([before])
        if message is None:
            return
        try:
            accepted = await self._context.accept(message)
        except BaseException:
            discard(message.parts)
            raise
        if accepted.verdict in (Verdict.TURN, Verdict.JOINED):
            self._start(self._reactions.begin((message.chat, message.thread), message.id))
        elif accepted.verdict is not Verdict.COMMAND:
            discard(message.parts)

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # --- out -------------------------------------------------------------------------------------

    async def send(self, message: Outgoing) -> str:
        """Deliver a message and return the platform's id of it."""
        try:
            if message.partial:
                return await self._streams.begin(message)
            return await self._sender.send(message)
        except ApiError as error:
            raise error.delivery() from None

    async def edit(self, sent: str, message: Outgoing) -> None:
        """Show more of a streamed answer."""
        try:
            if message.partial:
                await self._streams.edit(sent, message)
                return
            message = await self._sender.prepared(message)
            await self._streams.edit(sent, message)
            await self._sender.files(message)
            self._streams.forget(sent)
        except ApiError as error:
            raise error.delivery() from None

    async def typing(self, target: Target, *, on: bool) -> None:
        """Take the reaction away once the answer is there; it was put there on receipt."""
        if not on:
            await self._reactions.end((target.chat, target.thread))
