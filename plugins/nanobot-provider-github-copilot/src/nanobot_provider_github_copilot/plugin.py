"""Registers the provider and its login; nothing else is imported here.

Source of the login's facts: GitHub's documentation of the device flow, and the client id of
Copilot's editor plugins.
"""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec
from nanobot_oauth.specs import OPTION, Login

from nanobot_provider_github_copilot.config import CopilotConfig

LOGIN = Login(
    issuer="https://github.com",
    client_id="Iv1.b507a08c87ecfe98",
    token_path="/login/oauth/access_token",  # noqa: S106 - a path
    device_path="/login/device/code",
    scopes=("read:user",),
    lifetime_s=None,
)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer GitHub Copilot."""
    return [
        ProviderSpec(
            name="github_copilot",
            title="GitHub Copilot",
            factory="nanobot_provider_github_copilot.provider:open_provider",
            config=CopilotConfig,
            options={OPTION: LOGIN},
            default_model="gpt-5-mini",
            needs_key=False,
        )
    ]
