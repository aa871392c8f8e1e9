"""Exchanges a GitHub login for the short-lived token of the Copilot API."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx
from nanobot import errors
from nanobot.context import Clock
from nanobot.log import remember_secret
from nanobot_oauth.config import is_loopback
from nanobot_oauth.session import Session

from nanobot_provider_github_copilot.config import CopilotConfig

EDITOR = {
    "editor-version": "vscode/1.99.0",
    "editor-plugin-version": "copilot-chat/0.26.0",
    "copilot-integration-id": "vscode-chat",
}
"""Copilot refuses clients that name no editor."""

_NAME = "github_copilot"
_EARLY_S = 60.0
_TIMEOUT_S = 30.0


class CopilotToken:
    """Makes the headers for Copilot's API; implements `nanobot_provider_openai.Credentials`.

    Args:
        session: The GitHub login.
        config: The plugin's section.
        clock: The time.
    """

    def __init__(self, session: Session, config: CopilotConfig, clock: Clock) -> None:
        self._session = session
        self._config = config
        self._clock = clock
        self._login: Mapping[str, str] = {}
        self._headers: Mapping[str, str] = {}
        self._end = 0.0
        self._exchanging = asyncio.Lock()

    @property
    def remedy(self) -> str:
        """Say what to do when the login is refused for good."""
        return self._session.remedy

    async def headers(self) -> Mapping[str, str]:
        """Return headers for a request; the token is exchanged anew shortly before its end.

        Raises:
            AuthError: Nobody is signed in, or the account has no Copilot.
            ProviderError: GitHub could not be asked.
        """
        login = await self._session.headers()
        async with self._exchanging:
            late = self._clock.monotonic() >= self._end
            if late or not self._headers or self._login != login:
                await self._exchange(login)
                self._login = login
            return self._headers

    async def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return other headers after a request with the given ones was refused."""
        async with self._exchanging:
            if self._headers == refused:
                self._headers = {}
        return await self.headers()

    async def _exchange(self, login: Mapping[str, str]) -> None:
        url = self._config.token_url
        local = is_loopback(urlsplit(url).hostname or "")
        proxy = self._config.proxy
        token = login["authorization"].removeprefix("Bearer ")
        try:
            async with httpx.AsyncClient(
                proxy=proxy, trust_env=not proxy and not local, timeout=_TIMEOUT_S
            ) as client:
                answer = await client.get(
                    url,
                    headers={
                        **EDITOR,
                        "authorization": f"token {token}",
                        "accept": "application/json",
                    },
                )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as fault:
            raise _failed(
                errors.TransportError,
                f"GitHub can not be reached for it ({type(fault).__name__})",
                "Check the network, and providers.githubCopilot.tokenUrl and proxy if set.",
            ) from None
        self._read(answer)

    def _read(self, answer: httpx.Response) -> None:
        status = answer.status_code
        if status == 429 or status >= 500:
            kind = errors.RateLimitError if status == 429 else errors.OverloadError
            raise _failed(kind, f"GitHub answers with HTTP {status}", "Try again.", status)
        if status == 401:
            raise _failed(
                errors.AuthError, "the GitHub login is not valid any more", self.remedy, status
            )
        if not answer.is_success:
            raise _failed(
                errors.AuthError,
                f"GitHub refuses it (HTTP {status})",
                "Check at https://github.com/settings/copilot that the account has Copilot.",
                status,
            )
        try:
            said = answer.json()
            token, lifetime = str(said["token"]), float(said["refresh_in"])
        except (ValueError, LookupError, TypeError):
            raise _failed(
                errors.MalformedAnswer,
                "GitHub's answer has no token",
                "Try again; check providers.githubCopilot.tokenUrl if it is set.",
            ) from None
        remember_secret(token)
        self._headers = {"authorization": f"Bearer {token}"}
        # Counted from now: expires_at is by GitHub's clock, and this one may be wrong.
        self._end = self._clock.monotonic() + lifetime - _EARLY_S


class GivenToken:
    """A token of the section, sent as it is.

    Args:
        token: The token.
    """

    remedy = "Set providers.githubCopilot.apiKey to a valid token, or remove it and sign in."

    def __init__(self, token: str) -> None:
        self._headers = {"authorization": f"Bearer {token}"}

    async def headers(self) -> Mapping[str, str]:
        """Return the header."""
        return self._headers

    async def renewed(self, refused: Mapping[str, str]) -> None:
        """Return nothing: it can not be renewed."""


def _failed(
    kind: type[errors.ProviderError], why: str, remedy: str, status: int = 0
) -> errors.ProviderError:
    return kind(
        f"Provider {_NAME} gets no token for Copilot: {why}",
        provider=_NAME,
        status=status,
        remedy=remedy,
    )
