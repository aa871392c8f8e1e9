"""The section ``tools.ask``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class AskConfig(PluginConfig):
    """What a user may set about questions."""

    wait_minutes: float = Field(
        default=60.0,
        gt=0,
        le=60,
        description="How long a turn waits for an answer; the model goes on without one then.",
    )
