"""The section ``tools.sessions``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class SessionsConfig(PluginConfig):
    """What a user may set about looking back."""

    search_depth: int = Field(
        default=100,
        ge=1,
        le=10_000,
        description="How many conversations, from the newest on, a search looks into.",
    )
