"""The provider: one streamed Messages request a call, over the official SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

from anthropic import AsyncAnthropic, AsyncStream
from nanobot.context import PluginContext
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest

from nanobot_provider_anthropic.answer import Answer
from nanobot_provider_anthropic.client import headers_for, open_client
from nanobot_provider_anthropic.config import AnthropicConfig
from nanobot_provider_anthropic.convert import RESERVED, body, encode
from nanobot_provider_anthropic.faults import Faults
from nanobot_provider_anthropic.vendor import Vendor

_PAGE = 1000


class AnthropicProvider:
    """Answers over the Messages API.

    Args:
        client: The SDK's client.
        config: The plugin's section; the key was taken from it.
        faults: Makes the errors; knows the vendor.
        has_key: False to refuse every request before it reaches the network.
    """

    def __init__(
        self, client: AsyncAnthropic, config: AnthropicConfig, faults: Faults, *, has_key: bool
    ) -> None:
        self._client = client
        self._config = config
        self._faults = faults
        self._has_key = has_key

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        if not self._has_key:
            raise self._faults.missing_key(request.model)
        config = self._config
        content = encode(
            body(
                request,
                caching=config.prompt_caching,
                extra=config.extra_body,
                replay=self._faults.vendor.replay_thinking,
            )
        )
        answer = Answer(model=request.model, sent=content, faults=self._faults)
        async with aclosing(self._events(content, request.model)) as events:
            async for event in events:
                for piece in answer.feed(event):
                    yield piece
        yield answer.finish()

    async def _events(self, content: bytes, model: str) -> AsyncGenerator[Mapping[str, Any]]:
        """Send a request and return the events of the stream, as the API reference has them.

        The SDK's typed method refuses fields that older models know, and builds a model object
        for each piece of text.
        """
        try:
            stream = await self._client.post(
                "/v1/messages",
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
            raise self._faults.translate(fault, model=model) from None

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models there are."""
        if not self._has_key:
            raise self._faults.missing_key()
        try:
            return [
                ModelInfo(id=model.id, context_window=model.max_input_tokens or 0)
                async for model in self._client.models.list(limit=_PAGE)
            ]
        except Exception as fault:
            raise self._faults.translate(fault) from None


@asynccontextmanager
async def open_provider(
    config: AnthropicConfig, context: PluginContext
) -> AsyncIterator[AnthropicProvider]:
    """Open the vendor that the spec's options describe; nothing is sent before the first request.

    Raises:
        ConfigError: The section gives no usable address, header or proxy.
    """
    name = context.id.rpartition(".")[2]
    head, *rest = name.split("_")
    section = f"providers.{head}{''.join(word.capitalize() for word in rest)}"
    vendor = Vendor.from_options(context.options, plugin=context.id)
    faults = Faults(name=name, section=section, vendor=vendor)
    if ignored := sorted(RESERVED & config.extra_body.keys()):
        context.log.warning(
            "fields that extraBody can not set are ignored", section=section, keys=ignored
        )
    headers = headers_for(config, section)
    has_key = bool(headers.keys() & {"x-api-key", "authorization"})
    async with open_client(config, headers, faults) as client:
        yield AnthropicProvider(client, config, faults, has_key=has_key)
