"""A login in use: hands out tokens that are good, and renews them in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

from filelock import AsyncFileLock, Timeout
from nanobot import errors
from nanobot.context import PluginContext

from nanobot_oauth.config import OAuthConfig, configured, section_of
from nanobot_oauth.issuer import Issuer, remedy
from nanobot_oauth.specs import OPTION, Login
from nanobot_oauth.tokens import Tokens, TokenStore

EARLY_S = 300.0
"""Seconds before its end at which a token is renewed."""
_LOCK_S = 60.0

Headers = Mapping[str, str]


def bearer(tokens: Tokens) -> Headers:
    """Return the header that authorises a request."""
    return {"authorization": f"Bearer {tokens.access}"}


class Session:
    """The login of one provider.

    The tokens are read anew for each request, so a login or logout of another process counts at
    once. Of several tasks and processes that want to renew them, one does; a file lock sees to it.

    Args:
        issuer: Who renews.
        store: Where the tokens are.
        headers: Makes the headers that authorise a request.
    """

    def __init__(
        self, issuer: Issuer, store: TokenStore, headers: Callable[[Tokens], Headers] = bearer
    ) -> None:
        self._issuer = issuer
        self._store = store
        self._headers = headers
        self._renewal: asyncio.Task[Tokens] | None = None

    @property
    def remedy(self) -> str:
        """Say what to do when the login is refused for good."""
        return remedy(self._issuer.provider)

    async def headers(self) -> Headers:
        """Return headers for a request, of tokens that were renewed if their end was near.

        Raises:
            AuthError: Nobody is signed in, or the login is not valid any more.
            ProviderError: The issuer could not be asked.
        """
        return self._headers(await self.tokens())

    async def renewed(self, refused: Headers) -> Headers | None:
        """Return new headers after a request with the given ones was refused (HTTP 401).

        None when there is nothing to renew them with.
        """
        held = self._held()
        if self._headers(held) != refused:
            return self._headers(held)
        return self._headers(await self._renew(held)) if held.refresh else None

    async def tokens(self) -> Tokens:
        """Return tokens; see `headers`."""
        held = self._held()
        now = self._issuer.clock.now().timestamp()
        if held.lasts_beyond(now + EARLY_S) or not held.refresh:
            return held
        try:
            return await self._renew(held)
        except errors.ProviderError as fault:
            if fault.retryable and held.lasts_beyond(now):
                return held
            raise

    async def aclose(self) -> None:
        """Let a renewal end: the issuer may have taken back the old tokens already."""
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

    def _held(self) -> Tokens:
        name = self._issuer.provider
        try:
            held = self._store.load()
        except OSError as fault:
            raise errors.AuthError(
                f"Provider {name}'s login can not be read: {fault.strerror}",
                provider=name,
                remedy=f"Check the permissions of {self._store.path}.",
            ) from None
        if held is None:
            raise errors.AuthError(
                f"Provider {name} is not signed in", provider=name, remedy=remedy(name)
            )
        return held

    async def _renew(self, old: Tokens) -> Tokens:
        """Renew; a caller that is cancelled does not cancel that."""
        if self._renewal is None or self._renewal.done():
            self._renewal = asyncio.create_task(self._replace(old))
            self._renewal.add_done_callback(_seen)
        return await asyncio.shield(self._renewal)

    async def _replace(self, old: Tokens) -> Tokens:
        lock = AsyncFileLock(f"{self._store.path}.lock", timeout=_LOCK_S, mode=0o600)
        try:
            async with lock:
                held = self._held()
                if held.access != old.access:
                    return held
                self._store.save(held)  # fails while the old tokens are still good
                new = await self._issuer.renew(held)
                self._store.save(new)
                return new
        except (Timeout, OSError) as fault:
            raise errors.TransportError(
                f"Provider {self._issuer.provider}'s login can not be renewed: "
                f"{self._store.path} can not be written ({type(fault).__name__})",
                provider=self._issuer.provider,
                remedy="Check the folder's permissions and the disk, then try again.",
            ) from None


def _seen(task: asyncio.Task[Tokens]) -> None:
    """Take note of a failure that no caller waits for any more."""
    if not task.cancelled():
        task.exception()


@asynccontextmanager
async def open_session(
    config: OAuthConfig,
    context: PluginContext,
    *,
    headers: Callable[[Tokens], Headers] = bearer,
) -> AsyncIterator[Session]:
    """Open the login that a provider's spec has among its options; nothing is read or sent yet.

    Args:
        headers: Makes the headers that authorise a request.

    Raises:
        ConfigError: The section names no usable issuer.
    """
    name = context.id.rpartition(".")[2]
    offered = context.options[OPTION]
    assert isinstance(offered, Login)
    login = configured(offered, config, section_of(name))
    issuer = Issuer(login, context.clock, provider=name, proxy=config.proxy)
    session = Session(issuer, TokenStore(context.data, login), headers)
    try:
        yield session
    finally:
        await session.aclose()
