"""A provider that speaks chat completions over HTTP."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from datetime import datetime
from hashlib import blake2b
from typing import cast

import httpx
from nanobot.config import ProviderConfig
from nanobot.context import PluginContext
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest

from nanobot_provider_compat.answer import Answer
from nanobot_provider_compat.conversation import Conversations
from nanobot_provider_compat.endpoint import Endpoint, open_client, resolve
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.request import PROTECTED, estimate_tokens, write_body
from nanobot_provider_compat.vendor import Vendor

_ERROR_BYTES = 64 * 1024
_LIST_BYTES = 8 * 1024 * 1024
_REFUSAL_S = 5.0
_DRAIN_S = 0.5
_WINDOW_FIELDS = ("context_length", "context_window", "max_model_len", "max_context_length")


@asynccontextmanager
async def open_provider(
    config: ProviderConfig, context: PluginContext
) -> AsyncIterator[ChatProvider]:
    """Open the vendor that the spec's options describe."""
    vendor = Vendor.from_options(context.options, plugin=context.id)
    async with open_vendor(config, context, vendor) as provider:
        yield provider


@asynccontextmanager
async def open_vendor(
    config: ProviderConfig, context: PluginContext, vendor: Vendor
) -> AsyncIterator[ChatProvider]:
    """Open a vendor whose record the plugin made itself.

    Raises:
        ConfigError: The section gives no usable address or header.
    """
    provider = ChatProvider(config, context, vendor)
    try:
        yield provider
    finally:
        await provider.aclose()


class ChatProvider:
    """Implements `nanobot.provider.Provider` and `ModelLister`; made by `open_vendor`."""

    def __init__(self, config: ProviderConfig, context: PluginContext, vendor: Vendor) -> None:
        self._name = context.id.rpartition(".")[2]
        head, *rest = self._name.split("_")
        self._section = f"providers.{head}{''.join(word.capitalize() for word in rest)}"
        self._vendor = vendor
        self._context = context
        self._extra = config.extra_body
        self._endpoint: Endpoint = resolve(config, vendor, self._section)
        self._client: httpx.AsyncClient | None = None
        self._closed = False
        self._written = Conversations()
        ignored = sorted(PROTECTED.intersection(self._extra))
        if ignored:
            context.log.warning(
                "fields that extraBody can not set are ignored", section=self._section, keys=ignored
            )

    async def aclose(self) -> None:
        """Close all connections; streams that are open end with a TransportError."""
        self._closed = True
        if self._client is not None:
            await self._client.aclose()

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        fail = self._failures(self._vendor.model_id(request.model))
        client = self._ready(fail)
        content = write_body(request, self._vendor, self._name, self._extra, self._written)
        answer = Answer(
            fail,
            (tool.name for tool in request.tools),
            now=self._now,
            prompt_tokens=lambda: estimate_tokens(content),
            reasoning_is_answer=self._vendor.reasoning_is_answer,
        )
        sending = client.stream(
            "POST",
            self._endpoint.url("/chat/completions"),
            content=content,
            headers=self._headers(request),
        )
        try:
            async with sending as response, aclosing(_blocks(response)) as blocks:
                if not response.is_success:
                    raise await self._refusal(fail, response)
                async for block in blocks:
                    for event in answer.feed(block):
                        yield event
                    if answer.ended:
                        await _drain(blocks)
                        break
        except httpx.HTTPError as error:
            if not answer.complete:
                raise fail.of_exception(error) from None
        for event in answer.finish():
            yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask the vendor for its models; see `nanobot.provider.ModelLister`."""
        fail = self._failures("")
        client = self._ready(fail)
        try:
            async with client.stream(
                "GET", self._endpoint.url("/models"), headers=dict(self._endpoint.headers)
            ) as response:
                if not response.is_success:
                    raise await self._refusal(fail, response)
                body = bytearray()
                await _read(response, body, _LIST_BYTES)
        except httpx.HTTPError as error:
            raise fail.of_exception(error) from None
        return read_models(body, fail)

    def _headers(self, request: ModelRequest) -> dict[str, str]:
        headers = dict(self._endpoint.headers)
        if self._vendor.cache_key_header:
            # A header can not carry every session's name, and vendors want one in every request.
            key = request.cache_key.encode("utf-8", "replace") or os.urandom(16)
            headers[self._vendor.cache_key_header] = blake2b(key, digest_size=16).hexdigest()
        return headers

    def _failures(self, model: str) -> Failures:
        return Failures(
            provider=self._name,
            section=self._section,
            vendor=self._vendor,
            address=self._endpoint.address,
            model=model,
        )

    def _ready(self, fail: Failures) -> httpx.AsyncClient:
        if self._vendor.needs_key and not self._endpoint.has_key:
            raise fail.no_key()
        if self._closed:
            raise fail.of_exception(httpx.ConnectError("the provider was closed"))
        if self._client is None:
            try:
                self._client = open_client(self._endpoint)
            except (ValueError, ImportError, httpx.InvalidURL) as error:
                raise fail.of_exception(httpx.ProxyError(str(error))) from None
        return self._client

    async def _refusal(self, fail: Failures, response: httpx.Response) -> Exception:
        body = bytearray()
        with suppress(TimeoutError, httpx.HTTPError):  # the status alone says enough
            async with asyncio.timeout(_REFUSAL_S):
                await _read(response, body, _ERROR_BYTES)
        return fail.of_answer(response.status_code, response.headers, bytes(body), self._now())

    def _now(self) -> datetime:
        return self._context.clock.now()


def read_models(body: bytes | bytearray, fail: Failures) -> list[ModelInfo]:
    """Read the answer of ``GET /models``; vendors name the list and the window in several ways.

    Raises:
        MalformedAnswer: It is no list of models.
    """
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        raise fail.malformed("the list of models is no JSON") from None
    if isinstance(data, dict):
        data = data.get("data") or data.get("models") or []
    if not isinstance(data, list):
        raise fail.malformed("the list of models is no list")
    models = []
    for entry in data:
        entry = {"id": entry} if isinstance(entry, str) else entry
        if isinstance(entry, dict) and isinstance(
            name := entry.get("id") or entry.get("name"), str
        ):
            sizes = (entry.get(key) for key in _WINDOW_FIELDS)
            window = next((size for size in sizes if isinstance(size, int) and size > 0), 0)
            models.append(ModelInfo(id=name, context_window=window))
    return models


def _blocks(response: httpx.Response) -> AsyncGenerator[bytes, None]:
    return cast("AsyncGenerator[bytes, None]", response.aiter_bytes())


async def _read(response: httpx.Response, body: bytearray, limit: int) -> None:
    """Read the beginning of a body."""
    async with aclosing(_blocks(response)) as blocks:
        async for block in blocks:
            body += block[: limit - len(body)]
            if len(body) >= limit:
                return


async def _drain(blocks: AsyncIterator[bytes]) -> None:
    """Read to the end of the body, so that the connection can be used again; not for long."""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(_DRAIN_S):
            async for _ in blocks:
                pass
