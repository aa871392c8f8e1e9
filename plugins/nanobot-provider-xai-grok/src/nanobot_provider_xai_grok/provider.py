"""Grok with a subscription: the Responses API of the service that the Grok client uses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager

from nanobot.context import PluginContext
from nanobot.errors import ProviderError
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_oauth.session import open_session
from nanobot_provider_compat.vendor import Vendor
from nanobot_provider_openai.responses import ResponsesProvider, open_responses

from nanobot_provider_xai_grok.config import GrokConfig

_REMEDIES = {
    403: "Check at https://grok.com that your subscription includes API access, or use an API key "
    "of xAI with another provider.",
    426: "Set providers.xaiGrok.clientVersion to the version of the current Grok client, or "
    "update: pip install --upgrade nanobot-provider-xai-grok",
    429: "Wait until the limit of your subscription is over, or use another model.",
}


def vendor(client_version: str) -> Vendor:
    """Return what xAI does its own way."""
    return Vendor(
        base_url="https://cli-chat-proxy.grok.com/v1",
        headers={"x-xai-token-auth": "xai-grok-cli", "x-grok-client-version": client_version},
        body={"include": ["reasoning.encrypted_content"]},
    )


def model_header(request: ModelRequest) -> Mapping[str, str]:
    """Return the header by which the service finds the model."""
    return {"x-grok-model-override": request.model}


class GrokProvider:
    """Answers with Grok; says what to do where xAI's refusals have a meaning of their own.

    Args:
        responses: Speaks the Responses API with it.
    """

    def __init__(self, responses: ResponsesProvider) -> None:
        self._responses = responses

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        try:
            async with aclosing(self._responses.stream(request)) as events:  # type: ignore[type-var]
                async for event in events:
                    yield event
        except ProviderError as error:
            error.remedy = _REMEDIES.get(error.status, error.remedy)
            raise

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models the subscription has."""
        return await self._responses.list_models()


@asynccontextmanager
async def open_provider(config: GrokConfig, context: PluginContext) -> AsyncIterator[GrokProvider]:
    """Open the provider; nothing is sent before the first request.

    Raises:
        ConfigError: The section gives no usable address, issuer, header or proxy.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(config, context))
        responses = await stack.enter_async_context(
            open_responses(
                config,
                context,
                vendor=vendor(config.client_version),
                credentials=None if config.api_key else session,
                headers=model_header,
            )
        )
        yield GrokProvider(responses)
