"""Registers the provider and its login; nothing else is imported here.

Source of the login's facts: the Codex command line, which OpenAI publishes.
"""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec
from nanobot_oauth.specs import OPTION, Login

from nanobot_provider_openai_codex.config import CodexConfig

LOGIN = Login(
    issuer="https://auth.openai.com",
    client_id="app_EMoamEEZ73f0CkXaXp7hrann",
    token_path="/oauth/token",  # noqa: S106 - a path
    authorize_path="/oauth/authorize",
    scopes=("openid", "profile", "email", "offline_access"),
    redirect="http://localhost:1455/auth/callback",
    fields={
        "id_token_add_organizations": "true",
        "codex_cli_simplified_flow": "true",
        "originator": "nanobot",
    },
)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer OpenAI's Codex service."""
    return [
        ProviderSpec(
            name="openai_codex",
            title="OpenAI Codex (ChatGPT plan)",
            factory="nanobot_provider_openai_codex.provider:open_provider",
            config=CodexConfig,
            options={OPTION: LOGIN},
            default_model="gpt-5.4",
            needs_key=False,
        )
    ]
