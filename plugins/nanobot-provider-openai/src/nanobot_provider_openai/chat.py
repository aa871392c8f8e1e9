"""Chat completions with credentials that are renewed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

from nanobot.config import ProviderConfig
from nanobot.context import PluginContext
from nanobot.errors import AuthError
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_provider_compat.provider import ChatProvider
from nanobot_provider_compat.vendor import Vendor

from nanobot_provider_openai.credentials import Credentials

_UNAUTHORISED = 401


@dataclass(slots=True)
class _Lease:
    """A provider with the headers of one time, and how many streams use it."""

    provider: ChatProvider
    headers: Mapping[str, str]
    streams: int = 0


class AuthorisedChat:
    """Answers with chat completions; a request that is refused as unauthorised is made once more.

    Args:
        config: The plugin's section.
        context: The plugin's context.
        vendor: What the vendor does its own way.
        credentials: What authorises each request.
    """

    def __init__(
        self,
        config: ProviderConfig,
        context: PluginContext,
        vendor: Vendor,
        credentials: Credentials,
    ) -> None:
        self._config = config
        self._context = context
        self._vendor = vendor
        self._credentials = credentials
        self._current: _Lease | None = None

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        headers = await self._credentials.headers()
        try:
            async with aclosing(self._asked(request, headers)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event
            return
        except AuthError as refusal:
            fresh = await self._fresh(refusal, headers)
        async with aclosing(self._asked(request, fresh)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models there are."""
        headers = await self._credentials.headers()
        try:
            async with self._leased(headers) as provider:
                return await provider.list_models()
        except AuthError as refusal:
            fresh = await self._fresh(refusal, headers)
        async with self._leased(fresh) as provider:
            return await provider.list_models()

    async def aclose(self) -> None:
        """Close all connections."""
        if self._current is not None:
            await self._current.provider.aclose()

    async def _fresh(self, refusal: AuthError, headers: Mapping[str, str]) -> Mapping[str, str]:
        """Return other headers; the refusal is raised again when there are none."""
        if refusal.status != _UNAUTHORISED:
            raise refusal
        fresh = await self._credentials.renewed(headers)
        if fresh is None:
            raise refusal
        return fresh

    async def _asked(
        self, request: ModelRequest, headers: Mapping[str, str]
    ) -> AsyncIterator[ModelEvent]:
        async with (
            self._leased(headers) as provider,
            aclosing(provider.stream(request)) as events,  # type: ignore[type-var]
        ):
            async for event in events:
                yield event

    @asynccontextmanager
    async def _leased(self, headers: Mapping[str, str]) -> AsyncIterator[ChatProvider]:
        """Lend the provider for these headers; one that is replaced closes with its last stream."""
        if self._current is None or self._current.headers != headers:
            old, self._current = self._current, _Lease(self._made(headers), headers)
            if old is not None and not old.streams:
                await old.provider.aclose()
        lease = self._current
        lease.streams += 1
        try:
            yield lease.provider
        except AuthError as refusal:
            refusal.remedy = self._credentials.remedy
            raise
        finally:
            lease.streams -= 1
            if lease is not self._current and not lease.streams:
                await lease.provider.aclose()

    def _made(self, headers: Mapping[str, str]) -> ChatProvider:
        extra = {**headers, **self._config.extra_headers}
        config = self._config.model_copy(update={"api_key": None, "extra_headers": extra})
        return ChatProvider(config, self._context, self._vendor)


@asynccontextmanager
async def open_chat(
    config: ProviderConfig, context: PluginContext, vendor: Vendor, credentials: Credentials
) -> AsyncIterator[AuthorisedChat]:
    """Open the provider; nothing is sent before the first request."""
    chat = AuthorisedChat(config, context, vendor, credentials)
    try:
        yield chat
    finally:
        await chat.aclose()
