"""The section ``providers.githubCopilot``."""

from __future__ import annotations

from nanobot_oauth.config import OAuthConfig
from nanobot_provider_openai.config import ResponsesConfig
from pydantic import Field


class CopilotConfig(OAuthConfig, ResponsesConfig):
    """How to reach GitHub Copilot."""

    token_url: str = Field(
        default="https://api.github.com/copilot_internal/v2/token",
        description="Where a GitHub login is exchanged for a token of the Copilot API.",
    )
