"""The section ``providers.xaiGrok``."""

from __future__ import annotations

from typing import Literal

from nanobot_oauth.config import OAuthConfig
from nanobot_provider_openai.config import ResponsesConfig
from pydantic import Field


class GrokConfig(OAuthConfig, ResponsesConfig):
    """How to reach Grok."""

    reasoning_summary: Literal["auto", "concise", "detailed"] | None = Field(
        default="concise", description="Which summary of the reasoning to ask for; null for none."
    )
    client_version: str = Field(
        default="0.2.109",
        description="Version of the Grok client that is told; xAI refuses versions that are too "
        "old.",
    )
