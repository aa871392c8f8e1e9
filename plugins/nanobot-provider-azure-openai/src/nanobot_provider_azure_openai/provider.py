"""Azure OpenAI: OpenAI's own APIs below the address of a resource; a model is a deployment."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

from nanobot.context import PluginContext
from nanobot.errors import ConfigError
from nanobot.provider import Provider
from nanobot_provider_compat.vendor import Vendor
from nanobot_provider_openai.credentials import Credentials

from nanobot_provider_azure_openai.config import AzureOpenAIConfig

_PATH = "/openai/v1"

VENDOR = Vendor(
    env_keys=("AZURE_OPENAI_API_KEY",),
    token_field="max_completion_tokens",  # noqa: S106 - the name of a field
    replay_reasoning="drop",
    cache_key_field="prompt_cache_key",
    error_codes={
        "DeploymentNotFound": "bad_request",
        "insufficient_quota": "quota",
        "invalid_prompt": "filtered",
    },
)


@asynccontextmanager
async def open_provider(
    config: AzureOpenAIConfig, context: PluginContext
) -> AsyncIterator[Provider]:
    """Open the provider; nothing is sent before the first request.

    Raises:
        ConfigError: The section gives no usable address, header or proxy.
    """
    config = _addressed(config)
    async with AsyncExitStack() as stack:
        credentials: Credentials | None = None
        if not _has_key(config):
            # Azure's library takes a third of a second to import.
            from nanobot_provider_azure_openai.entra import EntraToken

            entra = EntraToken(config.token_scope, context.clock)
            stack.push_async_callback(entra.aclose)
            credentials = entra
        yield await stack.enter_async_context(_open(config, context, credentials))


@asynccontextmanager
async def _open(
    config: AzureOpenAIConfig, context: PluginContext, credentials: Credentials | None
) -> AsyncIterator[Provider]:
    """Open the dialect that the section asks for; only that one is imported."""
    if config.api_type == "responses":
        from nanobot_provider_openai.responses import open_responses

        async with open_responses(
            config,
            context,
            vendor=VENDOR,
            credentials=credentials,
            stateful=config.server_state,
        ) as responses:
            yield responses
    elif credentials is not None:
        from nanobot_provider_openai.chat import open_chat

        async with open_chat(config, context, VENDOR, credentials) as chat:
            yield chat
    else:
        from nanobot_provider_compat.provider import open_vendor

        async with open_vendor(config, context, VENDOR) as keyed:
            yield keyed


def _addressed(config: AzureOpenAIConfig) -> AzureOpenAIConfig:
    """Return the section with the whole address, and the key in the header that Azure reads."""
    if not config.api_base:
        raise ConfigError(
            "providers.azureOpenai.apiBase is not set",
            remedy="Set it to the endpoint of your resource, such as "
            "https://NAME.openai.azure.com (in the Azure portal: Keys and Endpoint).",
        )
    parts = urlsplit(config.api_base.strip())
    path = parts.path.rstrip("/").removesuffix("/v1").removesuffix("/openai")
    headers = dict(config.extra_headers)
    if config.api_key:
        headers = {"api-key": config.api_key.reveal().strip(), **headers}
    return config.model_copy(
        update={
            "api_base": urlunsplit((parts.scheme, parts.netloc, path + _PATH, parts.query, "")),
            "api_key": None,
            "extra_headers": headers,
        }
    )


def _has_key(config: AzureOpenAIConfig) -> bool:
    return any(
        name.lower().strip() in ("api-key", "authorization") for name in config.extra_headers
    )
