"""Chooses the dialect; each is imported only when it is spoken."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from urllib.parse import urlsplit

from nanobot.context import PluginContext
from nanobot.provider import Provider

from nanobot_provider_openai.auto import AutoProvider, Dialect
from nanobot_provider_openai.config import OpenAIConfig

_HOST = "api.openai.com"


@asynccontextmanager
async def open_provider(config: OpenAIConfig, context: PluginContext) -> AsyncIterator[Provider]:
    """Open the provider that `OpenAIConfig.api_type` asks for."""
    async with AsyncExitStack() as stack:

        async def open_chat() -> Dialect:
            from nanobot_provider_compat.provider import open_provider as open_compat

            return await stack.enter_async_context(open_compat(config, context))

        if config.api_type == "chat_completions" or (
            config.api_type == "auto" and not is_openai(config.api_base)
        ):
            yield await open_chat()
            return
        # The SDK takes half a second to import.
        from nanobot_provider_openai.responses import open_responses

        responses = await stack.enter_async_context(
            open_responses(config, context, stateful=config.server_state)
        )
        if config.api_type == "responses":
            yield responses
        else:
            yield AutoProvider(responses, open_chat, context.clock)


def is_openai(api_base: str | None) -> bool:
    """Tell whether an apiBase is OpenAI's own, a regional one included."""
    if not api_base:
        return True
    try:
        host = urlsplit(api_base.strip()).hostname or ""
    except ValueError:
        return False  # the dialect says what is wrong with it
    return host == _HOST or host.endswith(f".{_HOST}")
