"""Talks to an OAuth issuer: the few form posts of RFC 6749, 7636 and 8628.

They are written over httpx, which nanobot has anyway; the libraries for it would bring a stack of
cryptography for two lines of hashing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from nanobot import errors
from nanobot.context import Clock
from nanobot.log import remember_secret

from nanobot_oauth.config import is_loopback
from nanobot_oauth.specs import Login
from nanobot_oauth.tokens import Tokens

_TIMEOUT_S = 30.0
_CODE = re.compile(r"[a-z0-9_]{1,40}")
_WORDS = {
    "access_denied": "the sign-in was declined",
    "expired_token": "the code was not entered in time",
    "invalid_grant": "the login is not valid any more",
    "invalid_client": "the issuer does not know this client",
}


class Refused(errors.AuthError):
    """Report that an issuer refused; ``code`` is the error code of the protocol."""

    def __init__(self, message: str, *, code: str, **more: Any) -> None:
        super().__init__(message, **more)
        self.code = code


class Issuer:
    """The issuer of one provider's login.

    Args:
        login: Where it is, and what it wants to be told.
        clock: The time.
        provider: Name of the provider, for messages.
        proxy: Proxy URL, as configured.
    """

    def __init__(
        self, login: Login, clock: Clock, *, provider: str, proxy: str | None = None
    ) -> None:
        self.login = login
        self.clock = clock
        self.provider = provider
        self._proxy = proxy

    def address(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """Return the address of a path below the issuer."""
        return f"{self.login.issuer}{path}" + (f"?{urlencode(query)}" if query else "")

    async def token(self, grant: str, **fields: str) -> Tokens:
        """Ask the token endpoint.

        Args:
            grant: The grant type; ``fields`` are what it needs.

        Raises:
            Refused: The issuer said no; says why by its ``code``.
            ProviderError: It could not be asked, or its answer is none.
        """
        said = await self.post(self.login.token_path, grant_type=grant, **fields)
        access, refresh = said.get("access_token"), said.get("refresh_token")
        if not isinstance(access, str) or not access:
            raise self._error(errors.MalformedAnswer, "sent no token")
        identity = said.get("id_token")
        return Tokens(
            access=access,
            refresh=refresh if isinstance(refresh, str) else "",
            identity=identity if isinstance(identity, str) else "",
            expires_at=self._end(said.get("expires_in")),
        )

    async def renew(self, old: Tokens) -> Tokens:
        """Buy new tokens; what the issuer does not send anew stays as it was."""
        new = await self.token("refresh_token", refresh_token=old.refresh)
        return Tokens(
            access=new.access,
            refresh=new.refresh or old.refresh,
            identity=new.identity or old.identity,
            expires_at=new.expires_at,
        )

    async def post(self, path: str, **fields: str) -> Mapping[str, Any]:
        """Post a form in the name of the client, and return the JSON object that comes back."""
        loopback = is_loopback(urlsplit(self.login.issuer).hostname or "")
        for secret in ("refresh_token", "device_code", "code", "code_verifier"):
            remember_secret(fields.get(secret, ""))
        try:
            async with httpx.AsyncClient(
                proxy=self._proxy, trust_env=not self._proxy and not loopback, timeout=_TIMEOUT_S
            ) as client:
                answer = await client.post(
                    self.address(path),
                    data={"client_id": self.login.client_id, **fields},
                    headers={"accept": "application/json"},
                )
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, ImportError) as fault:
            raise self._error(
                errors.TransportError,
                f"can not be reached at {self.login.issuer} ({type(fault).__name__})",
                remedy="Check the network, and the proxy if one is set.",
            ) from None
        return self._read(answer)

    def _read(self, answer: httpx.Response) -> Mapping[str, Any]:
        """Return what an answer says; GitHub reports errors with status 200."""
        if answer.status_code >= 500 or answer.status_code == 429:
            kind = errors.RateLimitError if answer.status_code == 429 else errors.OverloadError
            raise self._error(kind, f"answers with HTTP {answer.status_code}")
        try:
            said = answer.json()
        except ValueError:
            said = None
        if isinstance(said, dict) and answer.is_success and "error" not in said:
            return said
        code = said.get("error") if isinstance(said, dict) else None
        if isinstance(code, dict):
            code = code.get("code")
        if answer.is_success and not code:
            raise self._error(errors.MalformedAnswer, "sent an answer that is no JSON object")
        raise self.refused(str(code or f"http_{answer.status_code}"), status=answer.status_code)

    def refused(self, code: str, *, status: int = 0) -> Refused:
        """Return the error for a code of the protocol; what is no code is not repeated."""
        code = code if _CODE.fullmatch(code) else "error"
        why = _WORDS.get(code, f"the issuer refused ({code})")
        return Refused(
            f"Provider {self.provider}: {why}",
            code=code,
            provider=self.provider,
            status=status,
            remedy=remedy(self.provider),
        )

    def _error(
        self, kind: type[errors.ProviderError], said: str, *, remedy: str = "Try again."
    ) -> errors.ProviderError:
        return kind(
            f"The issuer of provider {self.provider}'s login {said}",
            provider=self.provider,
            remedy=remedy,
        )

    def _end(self, seconds: object) -> float | None:
        try:
            lifetime = float(seconds)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            lifetime = self.login.lifetime_s or 0.0
            if self.login.lifetime_s is None:
                return None
        return self.clock.now().timestamp() + lifetime


def remedy(provider: str) -> str:
    """Return what to do when a provider wants a new login."""
    return f"Sign in with: nanobot provider login {provider.replace('_', '-')}"
