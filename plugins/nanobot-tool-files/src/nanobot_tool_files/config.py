"""The section ``tools.files``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class FilesConfig(PluginConfig):
    """What a user may set about the file tools."""

    ignore: tuple[str, ...] = Field(
        default=(),
        description="More folder names that listing and searching leave out, such as `target`.",
    )
    search_seconds: float = Field(
        default=30.0,
        gt=0,
        le=110,
        description="Longest time for one search or listing; what was found by then is returned.",
    )
