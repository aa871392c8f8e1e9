"""Settings of the store."""

from __future__ import annotations

from typing import Literal

from nanobot.config import PluginConfig
from pydantic import Field

Durability = Literal["full", "relaxed"]


class SqliteConfig(PluginConfig):
    """The section `gateway.store`."""

    durability: Durability = Field(
        default="full",
        description="`full`: what is stored survives a power cut. `relaxed`: it survives a kill "
        "of the process; the last moments before a power cut may be lost.",
    )
    path: str = Field(
        default="",
        description="The database file; relative to the data folder, empty for `state.db` there.",
    )
    keep_days: int = Field(
        default=14,
        ge=7,
        le=3650,
        description="Days for which finished messages and their keys stay known; at least 7.",
    )
    history_days: int = Field(
        default=400,
        ge=31,
        le=36500,
        description="Days for which usage and taken occurrences of schedules are kept.",
    )
