"""The Responses API over the official SDK: one streamed request a call."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from nanobot.config import ProviderConfig
from nanobot.context import PluginContext
from nanobot.errors import ConfigError
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_provider_compat.endpoint import Endpoint, resolve
from nanobot_provider_compat.failure import Failures
from nanobot_provider_compat.vendor import Vendor
from openai import AsyncOpenAI, AsyncStream, DefaultAsyncHttpxClient, Timeout

from nanobot_provider_openai.answer import Answer
from nanobot_provider_openai.config import OpenAIConfig
from nanobot_provider_openai.convert import RESERVED, body, encode
from nanobot_provider_openai.faults import Faults

SECTION = "providers.openai"
_CONNECT_S = 10.0


class ResponsesProvider:
    """Answers with the Responses API.

    Args:
        client: The SDK's client.
        config: The plugin's section.
        endpoint: Where the client goes.
        vendor: What OpenAI does its own way.
        context: The plugin's context.
    """

    def __init__(
        self,
        client: AsyncOpenAI,
        config: OpenAIConfig,
        endpoint: Endpoint,
        vendor: Vendor,
        context: PluginContext,
    ) -> None:
        self._client = client
        self._config = config
        self._endpoint = endpoint
        self._vendor = vendor
        self._context = context

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        faults = self._faults(request.model)
        config = self._config
        content = encode(body(request, summary=config.reasoning_summary, extra=config.extra_body))
        answer = Answer(faults, sent=content)
        async with aclosing(self._events(content, faults)) as events:
            async for event in events:
                for piece in answer.feed(event):
                    yield piece
        yield answer.finish()

    async def _events(
        self, content: bytes, faults: Faults
    ) -> AsyncGenerator[Mapping[str, Any], None]:
        """Send a request and return the events of the stream, as the API reference has them.

        The SDK's typed method would build a model object for each piece of text.
        """
        try:
            stream = await self._client.post(
                "/responses",
                content=content,
                cast_to=object,
                stream=True,
                stream_cls=AsyncStream[object],
            )
            async with stream:
                async for event in stream:
                    if isinstance(event, Mapping):
                        yield event
        except Exception as fault:  # nothing but the SDK runs above
            raise faults.of(fault) from None

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models there are."""
        faults = self._faults("")
        try:
            return [ModelInfo(id=model.id) async for model in self._client.models.list()]
        except Exception as fault:
            raise faults.of(fault) from None

    def _faults(self, model: str) -> Faults:
        """Return the maker of errors for one request, which needs a key.

        Raises:
            AuthError: There is none; nothing is sent.
        """
        failures = Failures(
            provider="openai",
            section=SECTION,
            vendor=self._vendor,
            address=self._endpoint.base,
            model=model,
        )
        if not self._endpoint.has_key:
            raise failures.no_key()
        return Faults(failures, self._context.clock)


@asynccontextmanager
async def open_responses(
    config: OpenAIConfig, context: PluginContext
) -> AsyncIterator[ResponsesProvider]:
    """Open the provider; nothing is sent before the first request.

    Raises:
        ConfigError: The section gives no usable address, header or proxy.
    """
    if ignored := sorted(RESERVED & config.extra_body.keys()):
        context.log.warning(
            "fields that extraBody can not set are ignored", section=SECTION, keys=ignored
        )
    vendor = Vendor.from_options(context.options, plugin=context.id)
    endpoint = resolve(config, vendor, SECTION)
    async with open_client(config, endpoint) as client:
        yield ResponsesProvider(client, config, endpoint, vendor, context)


def open_client(config: ProviderConfig, endpoint: Endpoint) -> AsyncOpenAI:
    """Return a client that never retries and takes nothing from the environment.

    Raises:
        ConfigError: The proxy is unusable.
    """
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
            f"{SECTION}.proxy, or a proxy variable of the environment, can not be used",
            remedy="Write the proxy as http://host:port.",
        ) from None
    base = endpoint.base if urlsplit(endpoint.base).path else f"{endpoint.base}/v1"
    client = AsyncOpenAI(
        api_key=config.api_key.reveal().strip() if config.api_key else "none",
        base_url=base,
        max_retries=0,
        timeout=timeout,
        default_headers=endpoint.headers,
        default_query=dict(parse_qsl(endpoint.query, keep_blank_values=True)),
        http_client=http,
    )
    client.admin_api_key = client.organization = client.project = None
    return client
