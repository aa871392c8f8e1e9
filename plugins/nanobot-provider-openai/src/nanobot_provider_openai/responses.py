"""The Responses API over the official SDK: one streamed request a call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import parse_qsl, urlsplit

from nanobot.config import ProviderConfig
from nanobot.context import PluginContext
from nanobot.errors import ConfigError
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_provider_compat.endpoint import Endpoint, resolve
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.vendor import Vendor
from openai import (
    APIStatusError,
    AsyncOpenAI,
    AsyncStream,
    DefaultAsyncHttpxClient,
    Omit,
    Timeout,
)

from nanobot_provider_openai.answer import Answer
from nanobot_provider_openai.config import ResponsesConfig
from nanobot_provider_openai.convert import RESERVED, body, encode
from nanobot_provider_openai.credentials import Credentials
from nanobot_provider_openai.faults import Faults, Forgotten
from nanobot_provider_openai.state import digest, resumption

_CONNECT_S = 10.0
_UNAUTHORISED = 401

T = TypeVar("T")
Headers = Mapping[str, str | Omit]


def no_headers(request: ModelRequest) -> Mapping[str, str]:
    """Return no headers, for a service that wants none of its own."""
    return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """A server of the Responses API.

    Args:
        provider: Name of the provider plugin.
        section: Where its configuration is, such as ``providers.openai``.
        endpoint: Where it is.
        vendor: What it does its own way; ``body`` is merged into each request.
        headers: More headers for a request.
        stateful: It shall store the conversations.
    """

    provider: str
    section: str
    endpoint: Endpoint
    vendor: Vendor
    headers: Callable[[ModelRequest], Mapping[str, str]] = no_headers
    stateful: bool = False


class ResponsesProvider:
    """Answers with the Responses API.

    Args:
        client: The SDK's client.
        config: The plugin's section.
        service: Where the client goes.
        context: The plugin's context.
        credentials: What authorises each request, None when the client does that itself.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        config: ResponsesConfig,
        service: Service,
        context: PluginContext,
        credentials: Credentials | None = None,
    ) -> None:
        self._client = client
        self._config = config
        self._service = service
        self._context = context
        self._credentials = credentials

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        config = self._config
        made = body(
            request,
            summary=config.reasoning_summary,
            extra=config.extra_body,
            patch=self._service.vendor.body,
            hosted=config.hosted_tools,
        )
        known = ""
        if self._service.stateful:
            made["store"] = True
            place = (request.model, self._service.endpoint.base)
            known = digest(request.messages, *place)
            if found := resumption(request.messages, *place):
                shorter = {**made, "previous_response_id": found.response, "input": found.items}
                try:
                    async with aclosing(self._answer(request, shorter, known)) as events:
                        async for event in events:
                            yield event
                    return
                except Forgotten:
                    self._context.log.info("conversation_forgotten", model=request.model)
        async with aclosing(self._answer(request, made, known)) as events:
            async for event in events:
                yield event

    async def _answer(
        self, request: ModelRequest, made: Mapping[str, Any], known: str
    ) -> AsyncGenerator[ModelEvent, None]:
        faults = self._faults(request.model)
        content = encode(made)
        answer = Answer(faults, sent=content, digest=known)
        more = self._service.headers(request)
        async with aclosing(self._events(content, more, faults)) as events:
            async for event in events:
                for piece in answer.feed(event):
                    yield piece
        yield answer.finish()

    async def _events(
        self, content: bytes, more: Mapping[str, str], faults: Faults
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """Send a request and return the events of the stream, as the API reference has them.

        The SDK's typed method would build a model object for each piece of text.
        """

        async def post(headers: Headers) -> AsyncStream[object]:
            return await self._client.post(
                "/responses",
                content=content,
                cast_to=object,
                options={"headers": {**more, **headers}},
                stream=True,
                stream_cls=AsyncStream[object],
            )

        try:
            async with await self._authorised(post) as stream:
                async for event in stream:
                    if isinstance(event, Mapping):
                        yield event
        except Exception as fault:  # nothing but the SDK and the credentials runs above
            raise faults.of(fault) from None

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models there are."""
        found = await self.fetch("/models")
        entries = found.get("data") if isinstance(found, Mapping) else None
        if not isinstance(entries, list):
            raise self._faults("").malformed()
        names = (entry.get("id") for entry in entries if isinstance(entry, Mapping))
        return [ModelInfo(id=name) for name in names if isinstance(name, str)]

    async def fetch(self, path: str, **query: str) -> object:
        """Return the JSON at a path below the base; raises `ProviderError` like `stream`."""
        faults = self._faults("")

        async def get(headers: Headers) -> object:
            options: Any = {"headers": headers, "params": query}
            return await self._client.get(path, cast_to=object, options=options)

        try:
            return await self._authorised(get)
        except Exception as fault:  # as above
            raise faults.of(fault) from None

    async def _authorised(self, send: Callable[[Headers], Awaitable[T]]) -> T:
        """Send; once more when the credentials were refused and there are newer ones."""
        if self._credentials is None:
            keyless = "authorization" not in self._service.endpoint.headers
            return await send({"Authorization": Omit()} if keyless else {})
        headers = await self._credentials.headers()
        try:
            return await send(headers)
        except APIStatusError as refusal:
            if refusal.status_code != _UNAUTHORISED:
                raise
            fresh = await self._credentials.renewed(headers)
            if fresh is None:
                raise
        return await send(fresh)

    def _faults(self, model: str) -> Faults:
        """Return the maker of errors for one request, which needs a key.

        Raises:
            AuthError: There is none; nothing is sent.
        """
        service = self._service
        failures = Failures(
            provider=service.provider,
            section=service.section,
            vendor=service.vendor,
            address=service.endpoint.address,
            model=model,
        )
        if self._credentials is None and not service.endpoint.has_key:
            raise failures.no_key()
        remedy = self._credentials.remedy if self._credentials else ""
        return Faults(failures, self._context.clock, remedy=remedy)


@asynccontextmanager
async def open_responses(
    config: ResponsesConfig,
    context: PluginContext,
    *,
    vendor: Vendor | None = None,
    credentials: Credentials | None = None,
    headers: Callable[[ModelRequest], Mapping[str, str]] = no_headers,
    stateful: bool = False,
) -> AsyncIterator[ResponsesProvider]:
    """Open the provider; nothing is sent before the first request.

    Args:
        vendor: What the vendor does its own way, in place of the spec's options.
        credentials: What authorises each request, in place of the section's key.
        headers: More headers for a request.
        stateful: The vendor shall store the conversations.

    Raises:
        ConfigError: The section gives no usable address, header or proxy.
    """
    name = context.id.rpartition(".")[2]
    first, *rest = name.split("_")
    section = f"providers.{first}{''.join(word.capitalize() for word in rest)}"
    if ignored := sorted(RESERVED & config.extra_body.keys()):
        context.log.warning(
            "fields that extraBody can not set are ignored", section=section, keys=ignored
        )
    vendor = vendor or Vendor.from_options(context.options, plugin=context.id)
    service = Service(
        provider=name,
        section=section,
        endpoint=resolve(config, vendor, section),
        vendor=vendor,
        headers=headers,
        stateful=stateful,
    )
    async with open_client(config, service) as client:
        yield ResponsesProvider(client, config, service, context, credentials)


def open_client(config: ProviderConfig, service: Service) -> AsyncOpenAI:
    """Return a client that never retries and takes nothing from the environment.

    Raises:
        ConfigError: The proxy is unusable.
    """
    endpoint = service.endpoint
    timeout = Timeout(endpoint.idle_s, connect=_CONNECT_S)
    try:
        http = DefaultAsyncHttpxClient(
            proxy=endpoint.proxy,
            trust_env=not endpoint.proxy and not endpoint.local,
            timeout=timeout,
            follow_redirects=False,
        )
    except Exception:  # a bad proxy raises errors of three kinds
        raise ConfigError(
            f"{service.section}.proxy, or a proxy variable of the environment, can not be used",
            remedy="Write the proxy as http://host:port.",
        ) from None
    usual = "" if urlsplit(endpoint.base).path else urlsplit(service.vendor.base_url).path
    client = AsyncOpenAI(
        api_key="none",  # the endpoint's headers count
        base_url=f"{endpoint.base}{usual}",
        max_retries=0,
        timeout=timeout,
        default_headers=endpoint.headers,
        default_query=dict(parse_qsl(endpoint.query, keep_blank_values=True)),
        http_client=http,
    )
    client.admin_api_key = client.organization = client.project = None
    return client
