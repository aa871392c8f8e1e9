"""Hold the connection to one server: opened on demand, watched, opened again with growing pauses.

Each connection lives in a task of its own, which opens and closes all of it. Nothing that happens
in there reaches another connection, or the turn that is waiting for this one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp import MCPError, types
from mcp.client import Client, IncomingMessage, Transport
from mcp.client.auth import OAuthFlowError
from mcp.client.session import ElicitationFnT
from mcp.shared.message import SessionMessage
from nanobot import __version__
from nanobot.context import Clock
from nanobot.errors import ToolError
from nanobot.log import Logger, redact

from nanobot_tool_mcp.mending import mend
from nanobot_tool_mcp.stdio import Remarks

CONNECT_S = 120.0
"""Seconds for starting, the handshake and the lists; a first start may download a package."""

RELIST_S = 1.0
"""Pause between two readings of lists that keep changing."""

PING_S = 5.0
CLOSE_S = 6.0
LONGEST_PAUSE_S = 60.0

Dial = Callable[[Remarks], Transport]
Opened = Callable[[Client], Awaitable[None]]

_CHANGES = (
    types.ToolListChangedNotification,
    types.PromptListChangedNotification,
    types.ResourceListChangedNotification,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hooks:
    """What a connection calls.

    Args:
        opened: Called with the client after the handshake, and when the server's lists changed.
        asked: Answers questions to the user; None when nobody can be asked.
    """

    opened: Opened
    asked: ElicitationFnT | None = None


class Connection:
    """The connection to one server.

    Args:
        dial: Returns a transport.
    """

    def __init__(self, server: str, dial: Dial, hooks: Hooks, clock: Clock, log: Logger) -> None:
        self._server = server
        self._dial = dial
        self._hooks = hooks
        self._clock = clock
        self._log = log
        self._link: _Link | None = None
        self._ending: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._not_before = 0.0
        self.failure: ToolError | None = None

    async def settled(self) -> None:
        """Connect, unless it is connected, and wait until that has worked or failed."""
        await self._current().settled()

    async def acquire(self, seconds: float) -> Client:
        """Return the client, connected.

        Raises:
            ToolError: It is not connected within the given seconds, or can not be.
        """
        pause = self._not_before - self._clock.monotonic()
        if self.failure and pause > 0 and (self._link is None or self._link.is_over):
            raise _paused(self.failure, pause)
        link = self._current()
        try:
            async with asyncio.timeout(seconds):
                await link.settled()
        except TimeoutError:
            raise ToolError(
                f"The MCP server {self._server!r} is still starting; try again in a while.",
                kind="unavailable",
                retryable=True,
            ) from None
        if link.client is None:
            raise self.failure or _lost(self._server)
        return link.client

    def drop(self, client: Client) -> None:
        """Close the connection that a client belongs to; the next call opens another."""
        if self._link and self._link.client is client:
            self._link.end()

    def forgets(self, client: Client) -> bool:
        """Drop the connection of a client if the server does not know its session any more."""
        link = self._link
        if link is None or link.client is not client or not link.remarks.session_over:
            return False
        link.end()
        return True

    async def why(self, client: Client) -> ToolError | None:
        """Return what ended the connection of a client, if it was more than going away."""
        link = self._link
        if link is None or link.client is not client or not link.is_over:
            return None
        await asyncio.wait({link.task}, timeout=CLOSE_S)
        if link.failure and link.failure.kind != "unavailable":
            self.failure = link.failure
            return link.failure
        return None

    async def check(self, client: Client) -> None:
        """Drop the connection of a client whose server does not answer at all."""
        try:
            async with asyncio.timeout(PING_S):
                await client.session.send_request(types.PingRequest(), types.EmptyResult)
        except MCPError:
            return  # an answer, if a sullen one
        except Exception:
            self._log.warning("mcp_server_hangs")
            self.drop(client)

    async def aclose(self) -> None:
        """Close what is open; a server that does not go within seconds is cut off."""
        if self._link:
            self._link.end()
        if self._ending:
            _, late = await asyncio.wait(self._ending, timeout=CLOSE_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _current(self) -> _Link:
        if self._link is None or self._link.is_over:
            self._link = _Link(self._server, self._dial, self._hooks, self._log)
            self._ending.add(self._link.task)
            self._link.task.add_done_callback(self._ending.discard)
            self._link.on_settled = self._note
        return self._link

    def _note(self, failure: ToolError | None) -> None:
        """Reckon how long to wait before the next attempt."""
        self.failure = failure
        self._failures = self._failures + 1 if failure else 0
        if failure and failure.kind == "unavailable":
            pause = min(2.0 ** (self._failures - 1), LONGEST_PAUSE_S)
            self._not_before = self._clock.monotonic() + pause
            self._log.warning("mcp_server_down", reason=failure.message)


class _Link:
    """One life of a connection."""

    def __init__(self, server: str, dial: Dial, hooks: Hooks, log: Logger) -> None:
        self.client: Client | None = None
        self.failure: ToolError | None = None
        self.on_settled: Callable[[ToolError | None], None] = lambda failure: None
        self._server = server
        self._dial = dial
        self._hooks = hooks
        self._log = log
        self._settled = asyncio.Event()
        self._over = asyncio.Event()
        self._stale = asyncio.Event()
        self.remarks = Remarks()
        self.task = asyncio.create_task(self._live())

    @property
    def is_over(self) -> bool:
        return self._over.is_set()

    async def settled(self) -> None:
        """Wait until it is known whether the connection could be made."""
        await self._settled.wait()

    def end(self) -> None:
        """Let the connection go; it closes in its own task."""
        self._over.set()
        self._stale.set()
        if not self._settled.is_set():
            self.task.cancel()

    async def _live(self) -> None:
        try:
            async with asyncio.timeout(CONNECT_S) as limit, self._connected() as client:
                await self._hooks.opened(client)
                limit.reschedule(None)
                self.client = client
                self._settle()
                following = asyncio.create_task(self._follow(client))
                try:
                    await self._attend(client)
                finally:
                    self._over.set()
                    following.cancel()
        except Exception as error:
            self.failure = explain(self._server, error, self.remarks)
            if self._settled.is_set() and not self._over.is_set():
                self._log.warning("mcp_server_lost", reason=self.failure.message)
        finally:
            self._over.set()
            self._settle()

    def _settle(self) -> None:
        if not self._settled.is_set():
            self._settled.set()
            self.on_settled(self.failure)

    def _connected(self) -> Client:
        return Client(
            _Watched(self._dial(self.remarks), self._end_of_stream),
            client_info=types.Implementation(name="nanobot", version=__version__),
            message_handler=self._heard,
            logging_callback=self._logged,
            elicitation_callback=self._hooks.asked,
            cache=None,
        )

    async def _attend(self, client: Client) -> None:
        """Stay until the connection is over; read the lists again when they change."""
        while True:
            await self._stale.wait()
            self._stale.clear()
            if self._over.is_set():
                return
            async with asyncio.timeout(CONNECT_S):
                await self._hooks.opened(client)
            try:
                async with asyncio.timeout(RELIST_S):
                    await self._over.wait()
            except TimeoutError:
                continue

    async def _follow(self, client: Client) -> None:
        """Hear of changed lists from servers of the newer protocol, which are to be asked."""
        with suppress(Exception):  # it can not, or does no more: the lists are read when it is back
            async with client.listen(
                tools_list_changed=True, prompts_list_changed=True, resources_list_changed=True
            ) as changes:
                async for _ in changes:
                    self._stale.set()

    def _end_of_stream(self) -> None:
        if self._settled.is_set() and not self._over.is_set():
            self._log.warning("mcp_server_lost", reason=redact(str(self.remarks)))
            self.end()

    async def _heard(self, message: IncomingMessage) -> None:
        if isinstance(message, _CHANGES):
            self._stale.set()

    async def _logged(self, params: types.LoggingMessageNotificationParams) -> None:
        self._log.debug("mcp_server_says", level=params.level, data=str(params.data)[:500])


class _Watched:
    """A transport that tells when what it reads has come to its end."""

    def __init__(self, inner: Transport, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended

    async def __aenter__(self) -> Any:
        read, write = await self._inner.__aenter__()
        return _Reading(read, self._ended), write

    async def __aexit__(self, *raised: Any) -> bool | None:
        return await self._inner.__aexit__(*raised)


class _Reading:
    def __init__(self, inner: Any, ended: Callable[[], None]) -> None:
        self._inner = inner
        self._ended = ended

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __aiter__(self) -> _Reading:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            item: SessionMessage | Exception = await self._inner.__anext__()
        except StopAsyncIteration:
            self._ended()
            raise
        if isinstance(item, SessionMessage):
            mend(item)
        return item

    async def __aenter__(self) -> _Reading:
        await self._inner.__aenter__()
        return self

    async def __aexit__(self, *raised: Any) -> bool | None:
        closed: bool | None = await self._inner.__aexit__(*raised)
        return closed


def explain(server: str, error: BaseException, remarks: Remarks) -> ToolError:
    """Return why a connection failed, in words that hold no secret and no address."""
    leaves = list(_leaves(error))
    for leaf in leaves:
        if isinstance(leaf, ToolError):
            return leaf
    detail = redact(str(remarks))
    words = _in_words(leaves[0])
    text = f"The MCP server {server!r} {words}" + (f" ({detail})" if detail else "")
    return ToolError(f"{text}.", kind="unavailable", retryable=True)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _in_words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "does not answer"
    if isinstance(error, MCPError):
        closed = error.code == types.CONNECTION_CLOSED
        return "ended before it was ready" if closed else f"refuses: {redact(error.message)[:300]}"
    if isinstance(error, OAuthFlowError):
        return f"can not be logged in to: {redact(str(error))[:300]}"
    if isinstance(error, httpx2.HTTPStatusError):
        return "refuses"
    if isinstance(error, httpx2.TransportError):
        return f"can not be reached: {type(error).__name__}"
    if isinstance(error, OSError):
        return f"can not be started: {error.strerror or type(error).__name__}"
    return f"can not be used: {type(error).__name__}"


def _paused(failure: ToolError, pause: float) -> ToolError:
    return ToolError(
        f"{failure.message} It is tried again after {max(pause, 1):.0f} s.",
        kind=failure.kind,
        retryable=failure.retryable,
    )


def _lost(server: str) -> ToolError:
    return ToolError(
        f"The MCP server {server!r} went away; try again.", kind="unavailable", retryable=True
    )
