"""Microsoft Entra ID in place of a key; only imported when there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from azure.core.exceptions import AzureError
from azure.identity import DefaultAzureCredential
from nanobot.context import Clock
from nanobot.errors import AuthError
from nanobot.log import remember_secret

_EARLY_S = 300.0


class EntraToken:
    """Makes the header for requests; implements `nanobot_provider_openai`'s `Credentials`.

    Azure's library blocks, and some of its ways start a program for each token, so it runs in a
    thread and its tokens are kept.

    Args:
        scope: What the token is asked for.
        clock: The time.
    """

    remedy = (
        "Set providers.azureOpenai.apiKey, or sign in with: az login   The account needs the role "
        "Cognitive Services OpenAI User."
    )

    def __init__(self, scope: str, clock: Clock) -> None:
        self._scope = scope
        self._clock = clock
        self._credential: DefaultAzureCredential | None = None
        self._headers: Mapping[str, str] = {}
        self._end = 0.0
        self._asking = asyncio.Lock()

    async def headers(self) -> Mapping[str, str]:
        """Return the header, with a new token shortly before the old one's end.

        Raises:
            AuthError: No way of signing in works here.
        """
        async with self._asking:
            if not self._headers or self._clock.now().timestamp() >= self._end - _EARLY_S:
                await asyncio.to_thread(self._ask)
            return self._headers

    async def renewed(self, refused: Mapping[str, str]) -> Mapping[str, str] | None:
        """Return another header after a request with this one was refused; None for the same."""
        async with self._asking:
            if self._headers == refused:
                self._headers = {}
        fresh = await self.headers()
        return None if fresh == refused else fresh

    def _ask(self) -> None:
        try:
            if self._credential is None:
                self._credential = DefaultAzureCredential()
            found = self._credential.get_token(self._scope)
        except AzureError as fault:
            raise AuthError(
                f"Provider azure_openai has no key, and can not sign in with Microsoft Entra ID "
                f"({type(fault).__name__})",
                provider="azure_openai",
                remedy=self.remedy,
            ) from None
        remember_secret(found.token)
        self._headers = {"authorization": f"Bearer {found.token}"}
        self._end = float(found.expires_on)

    async def aclose(self) -> None:
        """Close the connections of Azure's library."""
        if self._credential is not None:
            await asyncio.to_thread(self._credential.close)
