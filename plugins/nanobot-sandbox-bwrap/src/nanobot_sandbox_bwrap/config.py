"""The section ``sandboxes.bwrap``."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class BwrapConfig(PluginConfig):
    """Settings of the sandbox."""

    program: str = Field(
        default="bwrap", description="The program bubblewrap, by its path or its name."
    )
    max_temporary_mb: int = Field(
        default=1024,
        ge=1,
        description="Most megabytes that a command may keep in its own `/tmp`, which is memory.",
    )
    max_processes: int = Field(
        default=1024,
        ge=16,
        description="Most processes and threads of a command at a time; not kept where nanobot "
        "runs as root.",
    )
