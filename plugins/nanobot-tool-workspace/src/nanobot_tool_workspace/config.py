"""The section ``tools.workspace``."""

from __future__ import annotations

from typing import Literal

from nanobot.config import PluginConfig
from pydantic import Field

FOLDER = "tools"
"""Where the files lie, below the workspace."""


class WorkspaceConfig(PluginConfig):
    """What a user may set about the tools in the workspace."""

    trust: Literal["ask"] | bool = Field(
        default="ask",
        description="Which files are loaded: those whose content the owner approved (`ask`), "
        "all (`true`), none (`false`).",
    )
