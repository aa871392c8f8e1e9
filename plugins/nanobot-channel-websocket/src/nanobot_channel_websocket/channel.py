"""The WebSocket channel: a server, its clients, and the chats that they watch."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from nanobot import log
from nanobot_gateway.channel import Channel, ChannelContext, Outgoing, Update
from websockets.asyncio.server import Server, ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed

from nanobot_channel_websocket.chats import Chats, Client
from nanobot_channel_websocket.config import WebSocketConfig
from nanobot_channel_websocket.desk import Desk
from nanobot_channel_websocket.door import Door
from nanobot_channel_websocket.downloads import Downloads
from nanobot_channel_websocket.link import CLOSING_S, Link
from nanobot_channel_websocket.listening import bind_path, refused, tls, unbind_path
from nanobot_channel_websocket.tokens import Tokens
from nanobot_channel_websocket.turns import Narrator
from nanobot_channel_websocket.wire import encode

OPENING_S = 10.0
BUFFER_BYTES = 2**16
MOST_SENT = 1_000


class WebSocketChannel:
    """Serves WebSocket clients.

    Args:
        config: The channel's section.
        context: Where messages go.
    """

    def __init__(self, config: WebSocketConfig, context: ChannelContext) -> None:
        self._config = config
        self._context = context
        self._chats = Chats()
        self._clients: set[Client] = set()
        self._downloads = Downloads()
        self._sent: OrderedDict[str, None] = OrderedDict()
        self._narrator = Narrator(streaming=config.streaming, everyone=self._tell_everyone)
        self._desk = Desk(self._chats, self._narrator, self._downloads, context)
        tokens = Tokens(config.token_ttl_s, context.clock)
        self._door = Door(config, tokens, self._downloads, context.log)
        # The library's log would hold the tokens that stand in URLs.
        self._quiet = logging.Logger("nanobot.websocket", logging.CRITICAL + 1)
        self.port = 0
        """Port that is listened on, 0 before `run` says that it is ready and on a Unix socket."""

    # --- the server -----------------------------------------------------------------------------

    async def run(self) -> None:
        """Serve until cancelled."""
        server = await self._listen()
        try:
            self.port = next((s.getsockname()[1] for s in server.sockets if _has_port(s)), 0)
            self._context.ready()
            await server.serve_forever()
        finally:
            for client in self._clients:
                client.link.abort_if_stuck()
            server.close()
            await server.wait_closed()
            self.port = 0
            if self._config.unix_socket_path:
                unbind_path(self._config.unix_socket_path)

    async def _listen(self) -> Server:
        config, section = self._config, self._context.id
        options: dict[str, Any] = {
            "process_request": self._door,
            "compression": None,
            "server_header": None,
            "open_timeout": OPENING_S,
            "close_timeout": CLOSING_S,
            "ping_interval": config.ping_interval_s,
            "ping_timeout": config.ping_timeout_s,
            "max_size": config.max_message_bytes,
            "write_limit": BUFFER_BYTES,
            "logger": self._quiet,
            "create_connection": Link,
            "ssl": tls(config, section),
        }
        try:
            if config.unix_socket_path:
                options["sock"] = bind_path(Path(config.unix_socket_path))
                return await unix_serve(self._serve, **options)
            return await serve(self._serve, config.host or None, config.port, **options)
        except OSError as error:
            raise refused(config, section, error) from None

    # --- one client -----------------------------------------------------------------------------

    async def _serve(self, link: ServerConnection) -> None:
        assert isinstance(link, Link) and link.grant  # the door lets nobody in without one
        link.limit = self._config.max_queue_bytes
        client = self._desk.welcome(link, link.grant)
        self._clients.add(client)
        try:
            async for raw in link:
                await self._desk.take(client, raw)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(client)
            self._chats.leave(client)

    def _tell_everyone(self, event: Mapping[str, object]) -> None:
        data = encode(event)
        for client in self._clients:
            if client.rich:
                client.link.write(data)

    # --- what goes out --------------------------------------------------------------------------

    def show(self, update: Update) -> None:
        """Tell everybody who watches the chat what happens in it."""
        chat = self._chats.get(update.target.chat)
        if update.answers in chat.accepting:
            chat.held.append(update)  # until its message is acknowledged
            return
        self._narrator.tell(chat, update)
        self._chats.flush(chat)

    async def send(self, message: Outgoing) -> str:
        """Deliver a message to everybody who watches the chat; it is kept for who comes later."""
        chat = self._chats.get(message.target.chat)
        files = [self._downloads.offer(path) for path in message.files]
        seen = message.shown or (not files and _was_seen(message, chat.ended))
        if message.id in self._sent or (seen and not files):
            return message.id
        self._sent[message.id] = None
        if len(self._sent) > MOST_SENT:
            self._sent.popitem(last=False)
        fields: dict[str, object] = {
            "text": "" if message.shown else message.text,
            "message_id": message.id,
        }
        if files:
            fields["media_urls"] = files
        if message.reply_to:
            fields["reply_to"] = message.reply_to
        if message.buttons:
            fields["buttons"] = message.buttons
        chat.tell("message", fields, plain=bool(fields["text"]))
        self._chats.flush(chat)
        return message.id


@asynccontextmanager
async def open_channel(config: WebSocketConfig, context: ChannelContext) -> AsyncIterator[Channel]:
    """Make the channel; `run` opens the port."""
    for secret in (config.token, config.token_issue_secret):
        if secret:
            log.remember_secret(secret.reveal())
    if not (config.websocket_requires_token or config.token):
        context.log.warning("anybody_may_connect", remedy="set token, or websocketRequiresToken")
    yield WebSocketChannel(config, context)


def _was_seen(message: Outgoing, ended: tuple[str, str, str]) -> bool:
    """Tell whether the end of a turn has shown this text already."""
    turn, content, error = ended
    if not turn or message.answers != turn:
        return False
    return message.text == content or bool(error and message.text.endswith(error))


def _has_port(socket: Any) -> bool:
    return isinstance(socket.getsockname(), tuple)
