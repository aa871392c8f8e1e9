"""Where an instance keeps its things."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nanobot_documents.writing import private_dir as private_dir
from nanobot_documents.writing import write_private as write_private


def default_config_path() -> Path:
    """Return the configuration file used when none is named: ``~/.nanobot/config.json``."""
    return Path("~/.nanobot/config.json").expanduser()


@dataclass(frozen=True, kw_only=True, slots=True)
class Instance:
    """One independent nanobot: a configuration file, its folder, and a workspace.

    Args:
        config: The configuration file; need not exist.
        workspace: The folder that the agent works in.
    """

    config: Path
    workspace: Path

    @property
    def data(self) -> Path:
        """Return the folder of the configuration file, which holds all runtime state."""
        return self.config.parent

    @property
    def sessions(self) -> Path:
        """Return the folder of the transcripts."""
        return self.workspace / "sessions"

    @property
    def spill(self) -> Path:
        """Return the folder that long tool results are moved to."""
        return self.workspace / ".nanobot" / "tool-results"

    @property
    def media(self) -> Path:
        """Return the folder of files that came in with messages."""
        return self.data / "media"

    def plugin_data(self, plugin: str) -> Path:
        """Return the private folder of a plugin, by its id."""
        return self.data / "plugins" / plugin
