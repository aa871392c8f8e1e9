"""GitHub Copilot: the Responses API for OpenAI's reasoning models, else chat completions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

from nanobot.context import PluginContext
from nanobot.messages import AssistantMessage, Image, Message
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_oauth.session import open_session
from nanobot_provider_compat.vendor import Vendor
from nanobot_provider_openai.chat import AuthorisedChat, open_chat
from nanobot_provider_openai.credentials import Credentials
from nanobot_provider_openai.models import efforts_of
from nanobot_provider_openai.responses import ResponsesProvider, open_responses

from nanobot_provider_github_copilot.config import CopilotConfig
from nanobot_provider_github_copilot.exchange import EDITOR, CopilotToken, GivenToken

VENDOR = Vendor(
    base_url="https://api.githubcopilot.com",
    headers={**EDITOR, "openai-intent": "conversation-panel"},
    error_codes={"model_not_supported": "bad_request", "quota_exceeded": "quota"},
)
_PICTURES = {"copilot-vision-request": "true"}  # without it a request with pictures is refused
SEEING = replace(VENDOR, headers={**VENDOR.headers, **_PICTURES})


class CopilotProvider:
    """Answers with Copilot.

    Args:
        responses: For OpenAI's reasoning models.
        chat: For all others.
        seeing: The same, for requests with pictures.
    """

    def __init__(
        self, responses: ResponsesProvider, chat: AuthorisedChat, seeing: AuthorisedChat
    ) -> None:
        self._responses = responses
        self._chat = chat
        self._seeing = seeing

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        if efforts_of(request.model):
            return self._responses.stream(request)
        chat = self._seeing if _has_pictures(request.messages) else self._chat
        return chat.stream(request)

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models the plan has."""
        return await self._chat.list_models()


def picture_header(request: ModelRequest) -> Mapping[str, str]:
    """Return the header that a request with pictures needs."""
    return _PICTURES if _has_pictures(request.messages) else {}


def _has_pictures(messages: Sequence[Message]) -> bool:
    for message in messages:
        if isinstance(message, AssistantMessage):
            parts = [part for use in message.tool_uses for part in use.result.parts]
        else:
            parts = list(message.parts)
        if any(isinstance(part, Image) for part in parts):
            return True
    return False


@asynccontextmanager
async def open_provider(
    config: CopilotConfig, context: PluginContext
) -> AsyncIterator[CopilotProvider]:
    """Open the provider; nothing is sent before the first request.

    Raises:
        ConfigError: The section gives no usable address, issuer, header or proxy.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(open_session(config, context))
        token: Credentials = CopilotToken(session, config, context.clock)
        if config.api_key:
            token = GivenToken(config.api_key.reveal().strip())
        responses = await stack.enter_async_context(
            open_responses(
                config, context, vendor=VENDOR, credentials=token, headers=picture_header
            )
        )
        chats = [
            await stack.enter_async_context(open_chat(config, context, vendor, token))
            for vendor in (VENDOR, SEEING)
        ]
        yield CopilotProvider(responses, *chats)
