"""The Codex service: the Responses API with a ChatGPT login, a few fields apart."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from nanobot.context import PluginContext
from nanobot.errors import MalformedAnswer
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest
from nanobot_oauth.session import Headers, bearer, open_session
from nanobot_oauth.tokens import Tokens, claims
from nanobot_provider_compat.vendor import Vendor
from nanobot_provider_openai.responses import ResponsesProvider, open_responses

from nanobot_provider_openai_codex.config import CodexConfig

_CLAIM = "https://api.openai.com/auth"

VENDOR = Vendor(
    base_url="https://chatgpt.com/backend-api/codex",
    headers={"originator": "nanobot", "openai-beta": "responses=experimental"},
    body={
        "max_output_tokens": None,  # the service sets both itself, and refuses them
        "temperature": None,
        "parallel_tool_calls": True,
        "text": {"verbosity": "medium"},
    },
    error_codes={
        "usage_limit_reached": "quota",
        "usage_not_included": "quota",
        "token_expired": "auth",
    },
)


def account_headers(tokens: Tokens) -> Headers:
    """Return the headers that authorise a request, with the account that the login is for."""
    told = claims(tokens.identity) or claims(tokens.access)
    owner = told.get(_CLAIM)
    account = owner.get("chatgpt_account_id") if isinstance(owner, Mapping) else None
    return {**bearer(tokens), **({"chatgpt-account-id": str(account)} if account else {})}


class CodexProvider:
    """Answers with the Codex service.

    Args:
        responses: Speaks the Responses API with it.
        client_version: What is told when asking for the models.
    """

    def __init__(self, responses: ResponsesProvider, client_version: str) -> None:
        self._responses = responses
        self._client_version = client_version

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        return self._responses.stream(request)

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models the plan has, those left out that the service hides."""
        found = await self._responses.fetch("/models", client_version=self._client_version)
        entries = found.get("models") if isinstance(found, Mapping) else None
        if not isinstance(entries, list):
            raise MalformedAnswer(
                "Provider openai_codex sent no list of models",
                provider="openai_codex",
                remedy="Try again; if providers.openaiCodex.apiBase is set, check what answers.",
            )
        return [
            ModelInfo(id=entry["slug"], context_window=_window(entry.get("context_window")))
            for entry in entries
            if isinstance(entry, Mapping)
            and isinstance(entry.get("slug"), str)
            and entry.get("visibility", "list") == "list"
        ]


def _window(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0


@asynccontextmanager
async def open_provider(
    config: CodexConfig, context: PluginContext
) -> AsyncIterator[CodexProvider]:
    """Open the provider; nothing is sent before the first request.

    Raises:
        ConfigError: The section gives no usable address, issuer, header or proxy.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(
            open_session(config, context, headers=account_headers)
        )
        responses = await stack.enter_async_context(
            open_responses(
                config, context, vendor=VENDOR, credentials=None if config.api_key else session
            )
        )
        yield CodexProvider(responses, config.client_version)
