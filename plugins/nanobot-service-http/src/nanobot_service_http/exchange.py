"""What passes between an app and its caller, held to size and time in both directions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

from nanobot_service_http.answers import Answer, failure
from nanobot_service_http.asgi import Message, Receive, Send

_DEFAULTS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Stalled(ConnectionError):
    """Report a caller that did not take what was sent to it; the connection is cut."""


class Wire(Protocol):
    """The connection below a request."""

    def abort(self) -> None:
        """Cut it without waiting for what is still to be sent."""
        ...

    def pending(self) -> int:
        """Return how many bytes wait for the other end to read."""
        ...

    def finish(self) -> None:
        """Cut it in a while, unless it closes or the other end still reads."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A connection as it comes from the server.

    Args:
        patience_s: Seconds that a body may take to arrive, and a reader to take anything.
    """

    receive: Receive
    send: Send
    wire: Wire
    patience_s: float

    async def pass_on(self, message: Message) -> None:
        """Send a message, as soon as what was sent before has been read.

        Raises:
            Stalled: The caller reads nothing.
        """
        left = self.wire.pending()
        while True:
            try:
                async with asyncio.timeout(self.patience_s):
                    # It waits first and writes then, so what was cut off may be tried again.
                    return await self.send(message)
            except TimeoutError:
                before, left = left, self.wire.pending()
                if left >= before:
                    self.wire.abort()
                    raise Stalled("the caller does not read") from None


class Talk(Protocol):
    """What an app is called with."""

    @property
    def ended(self) -> bool:
        """Tell whether nobody waits for the app any more."""
        ...

    async def receive(self) -> Message:
        """Return what the caller sends."""
        ...

    async def send(self, message: Message) -> None:
        """Pass on what the app says."""
        ...


class Exchange:
    """One request and its response.

    Args:
        most: Longest body, in bytes.
        deadline: Until the response begins; lifted by its beginning.
    """

    def __init__(self, line: Line, most: int, deadline: asyncio.Timeout) -> None:
        self._line = line
        self._most = most
        self._deadline = deadline
        self._body_until = asyncio.get_running_loop().time() + line.patience_s
        self._size = 0
        self._whole = False
        self.refusal: Answer | None = None
        self.gone = False
        self.started = False
        self.complete = False

    @property
    def ended(self) -> bool:
        """Tell whether the caller is gone, or was refused meanwhile."""
        return self.gone or self.refusal is not None

    async def receive(self) -> Message:
        """Return a piece of the body; ``http.disconnect`` when there will be no more of it."""
        if self.refusal:
            return {"type": "http.disconnect"}
        if self._whole:
            return self._seen(await self._line.receive())
        try:
            async with asyncio.timeout_at(self._body_until):
                message = await self._line.receive()
        except TimeoutError:
            return self._refuse(408, "The body of the request did not arrive in time.")
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._size > self._most:
                return self._refuse(413, f"The body may have {self._most} bytes at most.")
        return self._seen(message)

    def _seen(self, message: Message) -> Message:
        self.gone = self.gone or message["type"] == "http.disconnect"
        return message

    def _refuse(self, status: int, message: str) -> Message:
        self.refusal = failure(status, message)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Pass on a piece of the response, unless the request was refused meanwhile."""
        if self.refusal:
            return
        if message["type"] == "http.response.start":
            self.started = True
            self._deadline.reschedule(None)
            message = {**message, "headers": completed(message.get("headers", ()))}
        try:
            await self._line.pass_on(message)
        except OSError:
            self.gone = True
            raise
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            self.complete = True


class Conversation:
    """One WebSocket, before and after the upgrade.

    Args:
        deadline: Until the app accepts it; lifted then.
    """

    def __init__(self, line: Line, deadline: asyncio.Timeout) -> None:
        self._line = line
        self._deadline = deadline
        self.accepted = False
        self.ended = False

    async def receive(self) -> Message:
        """Return what the caller says."""
        message = await self._line.receive()
        self.ended = self.ended or message["type"] == "websocket.disconnect"
        return message

    async def send(self, message: Message) -> None:
        """Pass on what the app says."""
        kind = message["type"]
        if kind in ("websocket.accept", "websocket.close", "websocket.http.response.start"):
            self.accepted = self.accepted or kind == "websocket.accept"
            self.ended = self.ended or not self.accepted or kind == "websocket.close"
            self._deadline.reschedule(None)
        try:
            await self._line.pass_on(message)
        except OSError:
            self.ended = True
            raise


def completed(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Return headers of a response with those that every response has."""
    pairs = [(name, value) for name, value in headers]
    there = {name.lower() for name, _ in pairs}
    date = (b"date", formatdate(usegmt=True).encode())
    return pairs + [pair for pair in (date, *_DEFAULTS) if pair[0] not in there]
