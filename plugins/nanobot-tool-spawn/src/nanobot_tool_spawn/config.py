"""The section ``tools.spawn``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class SpawnConfig(PluginConfig):
    """What a user may set about handing on work."""

    max_per_turn: int = Field(
        default=20, ge=1, le=1000, description="Most subagents that one turn may send out."
    )
