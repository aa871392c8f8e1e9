"""The section ``tools.my``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class MyConfig(PluginConfig):
    """What a user may set about what the agent knows and keeps of itself."""

    allow_set: bool = Field(
        default=False, description="Let the agent keep notes of a conversation."
    )
