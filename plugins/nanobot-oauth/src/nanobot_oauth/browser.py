"""Signing in on a page of the issuer, which sends the browser back here (RFC 8252, RFC 7636)."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import parse_qs, urlsplit, urlunsplit

from nanobot.errors import AuthError, ConfigError

from nanobot_oauth.issuer import Issuer, remedy
from nanobot_oauth.screen import Screen
from nanobot_oauth.tokens import Tokens

PATIENCE_S = 600.0
_HEAD_BYTES = 16 * 1024
_HEAD_S = 10.0
_DONE = "You are signed in. You may close this page."
_NOT_YOURS = "This address belongs to another sign-in."


async def sign_in_by_browser(
    issuer: Issuer, screen: Screen, *, paste: bool = False, patience_s: float = PATIENCE_S
) -> Tokens:
    """Send the user to the issuer's page, and take the code that comes back.

    Args:
        paste: The browser runs on another machine: the user pastes the address where it ended.
        patience_s: Seconds until the sign-in is given up.

    Raises:
        AuthError: The user declined or was too late, or the answer was of another sign-in.
        ConfigError: The port that the issuer demands is taken.
        ProviderError: The issuer could not be asked.
    """
    state = secrets.token_urlsafe(32)
    verifier = secrets.token_urlsafe(64)
    try:
        async with asyncio.timeout(patience_s):
            if paste:
                redirect = issuer.login.redirect
                screen.show(_page(issuer, state, verifier, redirect))
                query = parse_qs(urlsplit((await screen.pasted()).strip()).query)
                if query.get("state") != [state]:
                    raise _other(issuer)
            else:
                async with _listen(issuer, state) as (redirect, answer):
                    screen.show(_page(issuer, state, verifier, redirect))
                    query = await answer
    except TimeoutError:
        raise issuer.refused("expired_token") from None
    if "error" in query:
        raise issuer.refused(query["error"][0])
    if len(query.get("code", ())) != 1:
        raise _other(issuer)
    return await issuer.token(
        "authorization_code", code=query["code"][0], redirect_uri=redirect, code_verifier=verifier
    )


def _page(issuer: Issuer, state: str, verifier: str, redirect: str) -> str:
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "response_type": "code",
        "client_id": issuer.login.client_id,
        "redirect_uri": redirect,
        "scope": " ".join(issuer.login.scopes),
        "state": state,
        "code_challenge": base64.urlsafe_b64encode(digest).decode().rstrip("="),
        "code_challenge_method": "S256",
        **issuer.login.fields,
    }
    return issuer.address(issuer.login.authorize_path, query)


def _other(issuer: Issuer) -> AuthError:
    return AuthError(
        f"Provider {issuer.provider}: that address does not belong to this sign-in",
        provider=issuer.provider,
        remedy=remedy(issuer.provider),
    )


Query = dict[str, list[str]]


@asynccontextmanager
async def _listen(issuer: Issuer, state: str) -> AsyncIterator[tuple[str, asyncio.Future[Query]]]:
    """Listen on this machine for the browser; yield the address and what will come."""
    wanted = urlsplit(issuer.login.redirect)
    answer: asyncio.Future[Query] = asyncio.get_running_loop().create_future()
    callback = Callback(wanted.path, state, issuer.login.callback_origin, answer)
    try:
        server = await asyncio.start_server(
            callback, "127.0.0.1", wanted.port or 0, limit=_HEAD_BYTES
        )
    except OSError as fault:
        raise ConfigError(
            f"port {wanted.port}, to which the browser comes back, can not be used: "
            f"{fault.strerror}",
            remedy="End the program that uses it, or sign in with --paste.",
        ) from None
    port = server.sockets[0].getsockname()[1]
    place = f"{wanted.hostname}:{port}"
    try:
        yield urlunsplit((wanted.scheme, place, wanted.path, "", "")), answer
    finally:
        server.close()
        await callback.idle()
        answer.cancel()


class Callback:
    """Answers the browser; only a request with the right state counts, and only the first one."""

    def __init__(self, path: str, state: str, origin: str, answer: asyncio.Future[Query]) -> None:
        self._path = path
        self._state = state
        self._origin = origin
        self._answer = answer
        self._tasks: set[asyncio.Task[None]] = set()
        self._silent: set[asyncio.Task[None]] = set()

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._serve(reader, writer))
        for group in (self._tasks, self._silent):
            group.add(task)
            task.add_done_callback(group.discard)

    async def idle(self) -> None:
        """Let answers that are under way end; browsers hold connections to no purpose too."""
        for task in self._silent:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, ValueError, TimeoutError, EOFError, asyncio.LimitOverrunError):
                async with asyncio.timeout(_HEAD_S):
                    head = await reader.readuntil(b"\r\n\r\n")
                    self._silent.discard(asyncio.current_task())
                    writer.write(self.reply(head.decode("latin-1")))
                    await writer.drain()
        finally:
            writer.close()

    def reply(self, head: str) -> bytes:
        """Return the answer to a request, given its head; raises ValueError when it is none."""
        method, target, _ = head.split("\r\n", 1)[0].split(" ", 2)
        parts = urlsplit(target)
        if parts.path != self._path or method not in ("GET", "OPTIONS"):
            return self._page("404 Not Found", "There is nothing here.")
        if method == "OPTIONS":
            return self._page("204 No Content", "")
        query = parse_qs(parts.query)
        given = query.get("state", [""])[0]
        if not secrets.compare_digest(given.encode(), self._state.encode()):
            return self._page("400 Bad Request", _NOT_YOURS)
        if self._answer.done():
            return self._page("409 Conflict", "This sign-in is over already.")
        self._answer.set_result(query)
        return self._page("200 OK", "The sign-in was declined." if "error" in query else _DONE)

    def _page(self, status: str, text: str) -> bytes:
        lines = [
            f"HTTP/1.1 {status}",
            "content-type: text/plain; charset=utf-8",
            f"content-length: {len(text.encode())}",
            "cache-control: no-store",
            "referrer-policy: no-referrer",
            "connection: close",
        ]
        if self._origin:
            lines += [
                f"access-control-allow-origin: {self._origin}",
                "access-control-allow-methods: GET",
                "access-control-allow-private-network: true",
            ]
        return "\r\n".join([*lines, "", text]).encode()
