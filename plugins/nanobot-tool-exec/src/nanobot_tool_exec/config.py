"""The section ``tools.exec``."""

from __future__ import annotations

import re
from typing import Literal

from nanobot.config import PluginConfig
from pydantic import Field, field_validator


class ExecConfig(PluginConfig):
    """Settings of the shell tool."""

    timeout: int = Field(
        default=60,
        ge=0,
        description="Seconds after which a command is stopped unless its call says otherwise; "
        "0 for no limit.",
    )
    sandbox: Literal["auto", "bwrap", "landlock", ""] = Field(
        default="auto",
        description="What confines commands: `auto` takes the best sandbox that is installed and "
        'works here; without one nothing runs. `""` runs commands unconfined.',
    )
    network: bool | None = Field(
        default=None,
        description="Whether confined commands may use the network; left out, they may unless the "
        "workspace is restricted.",
    )
    path_prepend: str = Field(default="", description="Folders to search before those of PATH.")
    path_append: str = Field(default="", description="Folders to search after those of PATH.")
    allowed_env_keys: list[str] = Field(
        default_factory=list,
        description="Environment variables that commands get beside the harmless ones.",
    )
    sandbox_ro_binds: list[str] = Field(
        default_factory=list, description="Further paths that a sandbox lets commands read."
    )
    sandbox_rw_binds: list[str] = Field(
        default_factory=list, description="Further paths that a sandbox lets commands change."
    )
    allow_patterns: list[str] = Field(
        default_factory=list,
        description="Regular expressions; when there are any, every part of a command (between "
        "`;`, `|`, `&` and line ends) must match one of them whole. What matches is not checked "
        "further.",
    )
    deny_patterns: list[str] = Field(
        default_factory=list,
        description="Regular expressions; a command in which one is found is refused.",
    )

    @field_validator("allow_patterns", "deny_patterns")
    @classmethod
    def _are_patterns(cls, patterns: list[str]) -> list[str]:
        for number, pattern in enumerate(patterns):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(
                    f"entry {number} is not a valid regular expression: {error}; in JSON, write "
                    "every backslash twice"
                ) from None
        return patterns

    @field_validator("sandbox_ro_binds", "sandbox_rw_binds")
    @classmethod
    def _are_absolute(cls, paths: list[str]) -> list[str]:
        for number, path in enumerate(paths):
            if not path.startswith("/"):
                raise ValueError(f"entry {number} is not an absolute path")
        return paths
