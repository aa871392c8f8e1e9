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
    use_ripgrep: bool = Field(
        default=True, description="Let `rg` find the files that grep looks into, where installed."
    )
    undo_megabytes: int = Field(
        default=200,
        ge=0,
        le=100_000,
        description="Most space for the copies that `/undo` restores; 0 keeps none.",
    )
    undo_days: float = Field(default=7.0, gt=0, description="How long those copies are kept.")
