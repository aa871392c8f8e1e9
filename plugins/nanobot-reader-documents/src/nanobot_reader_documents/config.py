"""The section ``reader.documents``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class DocumentsConfig(PluginConfig):
    """What a user may set about the reading of documents."""

    max_megabytes: int = Field(default=50, ge=1, le=100, description="Largest file that is read.")
    memory_megabytes: int = Field(
        default=256, ge=64, le=8192, description="Most memory for the parsing of one file."
    )
    cpu_seconds: int = Field(
        default=4, ge=1, le=60, description="Most processor time for the parsing of one file."
    )
    seconds: float = Field(
        default=15.0, ge=1, le=110, description="Longest time for one file, waiting included."
    )
