"""Registers the provider and its login; nothing else is imported here.

Source of the login's facts: the discovery document of xAI's issuer, and the Grok command line.
"""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec
from nanobot_oauth.specs import OPTION, Login

from nanobot_provider_xai_grok.config import GrokConfig

LOGIN = Login(
    issuer="https://auth.x.ai",
    client_id="b1a00492-073a-47ea-816f-4c329264a828",
    token_path="/oauth2/token",  # noqa: S106 - a path
    authorize_path="/oauth2/authorize",
    device_path="/oauth2/device/code",
    scopes=(
        *("openid", "profile", "email", "offline_access", "grok-cli:access", "api:access"),
        *("conversations:read", "conversations:write", "workspaces:read", "workspaces:write"),
    ),
    redirect="http://127.0.0.1/callback",
    callback_origin="https://accounts.x.ai",
)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer Grok."""
    return [
        ProviderSpec(
            name="xai_grok",
            title="xAI Grok (subscription)",
            factory="nanobot_provider_xai_grok.provider:open_provider",
            config=GrokConfig,
            options={OPTION: LOGIN},
            default_model="grok-4.5",
            needs_key=False,
        )
    ]
