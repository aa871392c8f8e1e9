"""The section ``tools.dice``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class DiceConfig(PluginConfig):
    """Settings of the dice."""

    default_sides: int = Field(
        default=6, ge=2, le=1000, description="Sides of a die when a call does not name them."
    )
