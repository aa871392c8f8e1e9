"""The front door: every request passes these checks, in this order, before an app sees it.

Address, Host, Origin, Sec-Fetch-Site, method, token, type of the body, its length, and how much
is going on already. What fails is told why, in JSON, and nothing behind the door has run.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from nanobot.errors import NanobotError, describe
from nanobot.log import Logger

from nanobot_service_http.answers import FAILED, Answer, Refused, failure, send_answer
from nanobot_service_http.asgi import App, Message, Receive, Scope, Send
from nanobot_service_http.exchange import (
    Conversation,
    Exchange,
    Line,
    Talk,
    completed,
)
from nanobot_service_http.head import Head
from nanobot_service_http.mounts import OWN, Mount, Mounts
from nanobot_service_http.names import Names
from nanobot_service_http.pages import Pages
from nanobot_service_http.token import Token

WIRE = "nanobot_service_http.wire"
"""Key of the scope's state under which the server gives the connection, an `exchange.Wire`."""

_BEARER = ((b"www-authenticate", b"Bearer"),)
_LATER = ((b"retry-after", b"1"),)
_READING = ("GET", "HEAD")


@dataclass(frozen=True, kw_only=True, slots=True)
class Bounds:
    """What a request may take of the server.

    Args:
        body: Longest body, in bytes.
        timeout_s: Seconds for a body, for the beginning of an answer, and for a slow reader.
        concurrent: Requests and WebSockets at the same time.
    """

    body: int
    timeout_s: float
    concurrent: int


class FrontDoor:
    """The ASGI application that the server runs.

    Args:
        answered: Counts the requests by status of the answer.
    """

    def __init__(
        self,
        *,
        bounds: Bounds,
        names: Names,
        token: Token,
        mounts: Mounts,
        pages: Pages,
        answered: Counter[int],
        log: Logger,
    ) -> None:
        self._bounds = bounds
        self._names = names
        self._token = token
        self._mounts = mounts
        self._pages = pages
        self._answered = answered
        self._log = log
        self._running = 0
        self._unopened: dict[str, str] = {}  # why, so that the log is told once and not each time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or WebSocket."""
        line = Line(
            receive=receive,
            send=self._counted(send),
            wire=scope["state"].pop(WIRE),
            patience_s=self._bounds.timeout_s,
        )
        try:
            head = Head(scope)
            probe = head.path == "/health" and not head.websocket
            if probe and not self._names.knows(head):
                # A supervisor may call this server by any name; it learns one word.
                await self._answer(line, self._own(head, known=False, near=False), scope)
                return
            self._names.check(head)
            known = self._token.given(head)
            if head.path in OWN and not head.websocket:
                answer = self._own(head, known=known, near=head.from_this_machine)
            else:
                await self._serve(head, scope, line, known=known)
                return
        except Refused as refused:
            answer = refused.answer
        await self._answer(line, answer, scope)

    def _counted(self, send: Send) -> Send:
        async def counted(message: Message) -> None:
            await send(message)
            if message["type"].endswith("response.start"):
                self._answered[message["status"]] += 1
            elif message["type"] == "websocket.accept":
                self._answered[101] += 1

        return counted

    async def _answer(self, line: Line, answer: Answer, scope: Scope) -> None:
        waits = any(name == b"expect" for name, _ in scope["headers"])
        headers = completed(answer.headers) + ([(b"connection", b"close")] if waits else [])
        whole = replace(answer, headers=tuple(headers))
        with suppress(OSError):  # the caller is gone, or does not read
            await send_answer(line.pass_on, whole, websocket=scope["type"] == "websocket")

    # --- the checks -----------------------------------------------------------------------------

    def _own(self, head: Head, *, known: bool, near: bool) -> Answer:
        """Return a page of the server itself."""
        _check_method(head, ("GET", "HEAD"))
        _check_no_body(head)
        if head.path == "/health":
            return self._pages.health(near=near, authenticated=known)
        if not (known or near):
            raise Refused(401, "Send the gateway's token: Authorization: Bearer ...", _BEARER)
        return self._pages.metrics()

    def _admit(self, head: Head, *, known: bool) -> tuple[Mount, int]:
        """Return the app for a request and the longest body that it takes."""
        mount = self._mounts.find(head.path)
        if mount is None:
            raise Refused(404, "There is nothing at this address.")
        if head.websocket and not mount.spec.websocket:
            raise Refused(400, "There is no WebSocket at this address.")
        if not head.websocket:
            _check_method(head, mount.methods)
        if mount.spec.auth != "none" and not known:
            raise Refused(401, "Send the gateway's token: Authorization: Bearer ...", _BEARER)
        most = mount.spec.max_body_bytes or self._bounds.body
        if head.websocket or head.method in _READING:
            _check_no_body(head)
        else:
            _check_body(head, mount.spec.content_types, most)
        return mount, most

    @contextmanager
    def _place(self) -> Iterator[None]:
        """Take one of the places for what runs at the same time."""
        if self._running >= self._bounds.concurrent:
            raise Refused(503, "The server is busy; try again in a moment.", _LATER)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    # --- what runs behind the door --------------------------------------------------------------

    async def _serve(self, head: Head, scope: Scope, line: Line, *, known: bool) -> None:
        mount, most = self._admit(head, known=known)
        inner = _inner_scope(scope, mount, self._pages, known=known)
        with self._place():
            if head.websocket:
                await self._converse(mount, inner, line)
            else:
                await self._exchange(mount, inner, line, most)

    async def _exchange(self, mount: Mount, scope: Scope, line: Line, most: int) -> None:
        """Run an app for a request; whatever becomes of it, the caller is told."""
        deadline = asyncio.timeout(self._patience(mount))
        exchange = Exchange(line, most, deadline)
        fault = await self._run(mount, scope, exchange, deadline)
        if exchange.complete or exchange.gone:
            return
        if exchange.started:
            line.wire.abort()  # so that half an answer does not look like a whole one
        else:
            await self._answer(line, exchange.refusal or fault or FAILED, scope)

    async def _converse(self, mount: Mount, scope: Scope, line: Line) -> None:
        """Run an app for a WebSocket."""
        deadline = asyncio.timeout(self._patience(mount))
        talk = Conversation(line, deadline)
        try:
            fault = await self._run(mount, scope, talk, deadline)
            if talk.ended:
                return
            if talk.accepted:
                with suppress(OSError):
                    await line.pass_on({"type": "websocket.close", "code": 1011 if fault else 1000})
            else:
                await self._answer(line, fault or FAILED, scope)
        finally:
            line.wire.finish()

    def _patience(self, mount: Mount) -> float:
        """Return the seconds until an answer must begin: for the body, and for the app."""
        return self._bounds.timeout_s + (mount.spec.timeout_s or self._bounds.timeout_s)

    async def _run(
        self, mount: Mount, scope: Scope, talk: Talk, deadline: asyncio.Timeout
    ) -> Answer | None:
        """Open the app and call it; return what to tell the caller if that failed."""
        try:
            async with deadline, AsyncExitStack() as stack:
                try:
                    app: App = (await stack.enter_async_context(mount.extension.open())).app
                    self._unopened.pop(mount.prefix, None)
                except (Exception, SystemExit) as error:
                    if self._unopened.get(mount.prefix) != describe(error):
                        self._unopened[mount.prefix] = describe(error)
                        self._failed("web_app_not_open", mount, error)
                    return failure(503, "This part of the server can not be used at the moment.")
                try:
                    await app(scope, talk.receive, talk.send)
                except (Exception, SystemExit) as error:
                    if not talk.ended:
                        self._failed("web_app_failed", mount, error)
                    return FAILED
        except TimeoutError:
            return failure(504, "The answer took too long.")
        return None

    def _failed(self, event: str, mount: Mount, error: BaseException) -> None:
        known = isinstance(error, NanobotError)
        name, reason = f"web.{mount.spec.name}", describe(error)
        self._log.error(event, app=name, reason=reason, exc_info=None if known else error)


def _inner_scope(scope: Scope, mount: Mount, pages: Pages, *, known: bool) -> Scope:
    """Return what an app gets to see of a request; the gateway's token is not part of it."""
    headers = scope["headers"]
    if known:
        headers = [pair for pair in headers if pair[0].lower() != b"authorization"]
    state = {**scope["state"], "authenticated": known, "health": pages.fares}
    return {**scope, "root_path": mount.prefix, "headers": headers, "state": state}


def _check_method(head: Head, methods: tuple[str, ...]) -> None:
    if head.method not in methods:
        allowed = ", ".join(methods)
        raise Refused(405, f"Use {allowed} here.", ((b"allow", allowed.encode()),))


def _check_no_body(head: Head) -> None:
    if head.body_length() != 0:
        raise Refused(400, f"{head.method} has no body here.")


def _check_body(head: Head, types: tuple[str, ...], most: int) -> None:
    length = head.body_length()
    if length == 0:
        return
    told = (head.one(b"content-type") or b"").decode("latin-1").partition(";")[0].strip().lower()
    if "*" not in types and told not in types:
        raise Refused(415, f"Send the body as {' or '.join(types)}.")
    if head.one(b"content-encoding") not in (None, b"identity"):
        raise Refused(415, "Send the body without a Content-Encoding.")
    if length is not None and length > most:
        raise Refused(413, f"The body may have {most} bytes at most.")
