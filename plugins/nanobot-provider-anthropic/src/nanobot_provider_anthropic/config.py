"""The section ``providers.anthropic``."""

from __future__ import annotations

from nanobot.config import ProviderConfig
from pydantic import Field


class AnthropicConfig(ProviderConfig):
    """How to reach Claude."""

    prompt_caching: bool = Field(
        default=True,
        description="Mark what stays the same between requests, so that it is billed once; switch "
        "it off for servers that refuse `cache_control`.",
    )
