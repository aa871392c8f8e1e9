"""Runs the front door on uvicorn, inside the gateway's own event loop.

Of uvicorn this takes the protocol, with h11 beneath, and not the server around it: that one wakes
up ten times a second, and takes the process's signals. Imported when the first caller knocks.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, cast

import h11
from nanobot.log import Logger
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from nanobot_service_http.answers import Answer, failure
from nanobot_service_http.asgi import App
from nanobot_service_http.door import WIRE
from nanobot_service_http.head import MOST_HEADER_BYTES

GRACE_S = 5.0
"""Seconds that running requests get to end when the server stops."""
HEADERS_S = 10.0
"""Seconds for the head of a request to arrive, and for the rest of a refused one."""
LINGER_S = 2.0
"""Seconds in which a caller may read why it was refused while it still sends."""
BACKLOG = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """What the server holds connections to.

    Args:
        headers_s: Seconds for the head of a request to arrive.
        patience_s: Seconds in which a reader takes something of what it is sent.
        connections: Most connections; one more is told to come back.
        message: Longest message of a WebSocket, in bytes.
        websocket: Any app speaks WebSocket.
    """

    headers_s: float
    patience_s: float
    connections: int
    message: int
    websocket: bool


@asynccontextmanager
async def serving(
    app: App, sockets: Sequence[socket.socket], terms: Terms, log: Logger
) -> AsyncIterator[None]:
    """Serve an application on listening sockets, which are closed in the end."""
    config = Config(
        cast(Any, app),
        http=Connection,
        ws="websockets-sansio" if terms.websocket else "none",
        ws_max_size=terms.message,
        ws_per_message_deflate=False,
        lifespan="off",
        interface="asgi3",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        workers=1,
        h11_max_incomplete_event_size=MOST_HEADER_BYTES,
    )
    config.load()
    state = ServerState()
    loop = asyncio.get_running_loop()
    with _uvicorn_logs_to(log):
        servers = [
            await loop.create_server(
                lambda: Connection(config, state, terms), sock=listener, backlog=BACKLOG
            )
            for listener in sockets
        ]
        try:
            yield
        finally:
            for server in servers:
                server.close()
            await _finish(state)


async def _finish(state: ServerState) -> None:
    """Let running requests end, within the time they have; then cut what is left."""
    try:
        for connection in list(state.connections):
            with suppress(h11.LocalProtocolError):  # one that was refused halfway
                connection.shutdown()
        for patience in (GRACE_S, 1.0):
            if state.tasks:
                _, left = await asyncio.wait(state.tasks, timeout=patience)
                for task in left:
                    task.cancel()
    finally:
        for connection in list(state.connections):
            connection.transport.abort()


class Connection(H11Protocol):
    """A connection of which each request must arrive in time.

    Args:
        terms: What it is held to.
    """

    def __init__(self, config: Config, state: ServerState, terms: Terms) -> None:
        super().__init__(config, state, {WIRE: self})
        self._terms = terms
        self._timer: asyncio.TimerHandle | None = None
        self._refused = False

    def abort(self) -> None:
        """Cut it without waiting for what is still to be sent."""
        self.transport.abort()

    def pending(self) -> int:
        """Return how many bytes wait for the other end to read."""
        return self.transport.get_write_buffer_size()

    def finish(self) -> None:
        """See to it that a closing connection ends; as long as something is read, it may last."""
        self._stop_timer()
        left = self.pending()
        self._timer = self.loop.call_later(self._terms.patience_s, self._finish, left)

    def _finish(self, before: int) -> None:
        if self.pending() < before:
            self.finish()
        else:
            self.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; one connection too many is told so."""
        super().connection_made(transport)
        if len(self.connections) > self._terms.connections:
            busy = "The server has too many connections; try again in a moment."
            self._refuse(failure(503, busy, ((b"retry-after", b"1"),)))
        else:
            self._start_timer()

    def data_received(self, data: bytes) -> None:
        """Take what came; while no request is being answered, time runs."""
        if self._refused:
            return
        super().data_received(data)
        if self._refused or self.transport.get_protocol() is not self:
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_timer()
        elif self._timer is None:
            self._start_timer()

    def _should_upgrade(self) -> bool:
        """Tell whether a request is a handshake of WebSocket; one that only looks so is none."""
        headers = dict(self.scope["headers"])
        whole = (
            self.scope["method"] == "GET"
            and self.scope["http_version"] == "1.1"
            and headers.get(b"sec-websocket-version") == b"13"
            and len(headers.get(b"sec-websocket-key", b"")) == 24
        )
        return whole and super()._should_upgrade()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over, with a request that was read once already."""
        self._stop_timer()
        running = len(self.tasks)
        super().handle_websocket_upgrade(event)
        # What the next one can not read, such as a header of 10 kB, it passes over in silence.
        if len(self.tasks) == running and not self.transport.is_closing():
            self.transport.write(failure(400, "This is no handshake of WebSocket.").wire())
            self.transport.close()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP."""
        self._refuse(failure(400, "This is not a request in HTTP/1.1."))

    def on_response_complete(self) -> None:
        """Go on with the next request; an answer that nobody reads is not kept for ever."""
        super().on_response_complete()
        if self.transport.is_closing():
            self.finish()

    def timeout_keep_alive_handler(self) -> None:
        """Close, when no further request came."""
        super().timeout_keep_alive_handler()
        self.finish()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._stop_timer()
        super().connection_lost(exc)

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(self._terms.headers_s, self._too_slow)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self.conn.our_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(failure(408, "The head of the request did not arrive in time."))
        else:
            self.transport.abort()

    def _refuse(self, answer: Answer) -> None:
        """Answer without an application, and close once the caller had a chance to read it.

        Closing with unread bytes would make the system reset the connection, and the caller
        would see that in place of the answer.
        """
        self._refused = True
        self._stop_timer()
        self._unset_keepalive_if_required()
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.abort()
                return
        self.transport.write(answer.wire())
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_S, self.abort)


@contextmanager
def _uvicorn_logs_to(log: Logger) -> Iterator[None]:
    """Take over what uvicorn logs: exceptions are for the owner, the rest is about callers."""
    source = logging.getLogger("uvicorn.error")
    handler = _Handler(log)
    before = source.propagate
    source.addHandler(handler)
    source.propagate = False
    try:
        yield
    finally:
        source.removeHandler(handler)
        source.propagate = before


class _Handler(logging.Handler):
    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        write = self._log.error if record.exc_info else self._log.debug
        write("http_server", message=record.getMessage().strip(), exc_info=record.exc_info)
