"""The section ``providers.openaiCodex``."""

from __future__ import annotations

from typing import Literal

from nanobot_oauth.config import OAuthConfig
from nanobot_provider_openai.config import ResponsesConfig
from pydantic import Field


class CodexConfig(OAuthConfig, ResponsesConfig):
    """How to reach the Codex service."""

    reasoning_summary: Literal["auto", "concise", "detailed"] | None = Field(
        default="auto", description="Which summary of the reasoning to ask for; null for none."
    )
    client_version: str = Field(
        default="1.0.0",
        description="Version of the client that is told when asking for the models; the service "
        "leaves out models that want a newer one.",
    )
