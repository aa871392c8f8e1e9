"""A client's connection: what it was granted, and one bounded way out.

Frames are written to the transport at once while it takes them, and wait in a queue of at most so
many bytes when it does not. Nobody ever waits for a reader: who does not keep up is disconnected.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

TOO_SLOW = 1013  # "try again later"
STALLED_S = 40.0
CLOSING_S = 2.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What a connection was let in as.

    Args:
        client_id: Who it says it is; the only identity there is.
        trusted: It holds a token of the web UI's.
        events: It wants every event from the start.
    """

    client_id: str
    trusted: bool
    events: bool


class Link(ServerConnection):
    """A connection with a queue of its own behind the transport's buffer."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.grant: Grant | None = None
        self.limit = 2**20
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._full = False
        self._stalled: asyncio.TimerHandle | None = None
        self._cutting: asyncio.Task[None] | None = None

    def write(self, data: bytes) -> None:
        """Send frames, now or as soon as the reader has taken what is before them."""
        if self.state is not State.OPEN or self._cutting:
            return
        if not self._full:
            self.transport.write(data)
        elif self._held and self._held_bytes + len(data) > self.limit:
            self.cut()
        else:
            self._held.append(data)
            self._held_bytes += len(data)

    def cut(self) -> None:
        """Disconnect a reader who does not keep up; what waits for it is dropped."""
        if self._cutting is None:
            self._held, self._held_bytes = [], 0
            self._cutting = self.loop.create_task(self._cut())

    async def _cut(self) -> None:
        try:
            with suppress(TimeoutError, ConnectionClosed):
                async with asyncio.timeout(CLOSING_S):
                    await self.close(TOO_SLOW, "you read too slowly; attach again with last_seq")
        finally:
            self.transport.abort()

    def abort_if_stuck(self) -> None:
        """End the connection at once if its reader takes nothing; closing would wait for it."""
        if self._full:
            self.transport.abort()

    # --- called by the event loop ---------------------------------------------------------------

    def pause_writing(self) -> None:
        """Note that the transport's buffer is full."""
        super().pause_writing()
        self._full = True
        self._stalled = self.loop.call_later(STALLED_S, self.cut)

    def resume_writing(self) -> None:
        """Write what waited: the buffer has room again."""
        super().resume_writing()
        self._full = False
        self._forget_stall()
        if self._held and self.state is State.OPEN:
            data = b"".join(self._held)
            self._held, self._held_bytes = [], 0
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Take what arrived; the library answers pings at once, whether or not anybody reads."""
        super().data_received(data)
        if self._full and self.transport.get_write_buffer_size() > self.limit:
            self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Drop what was not sent."""
        self._forget_stall()
        self._held, self._held_bytes = [], 0
        super().connection_lost(exc)

    def _forget_stall(self) -> None:
        if self._stalled:
            self._stalled.cancel()
            self._stalled = None
