"""The section ``tools.message``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class MessageConfig(PluginConfig):
    """What a user may set about sending messages."""

    max_files: int = Field(
        default=10, ge=0, le=50, description="Most files of one message; 0 allows none."
    )
    max_file_megabytes: int = Field(
        default=50, ge=1, le=2000, description="Largest file that may be attached."
    )
