"""Where an instance keeps its things."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


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

    def plugin_data(self, plugin: str) -> Path:
        """Return the private folder of a plugin, by its id."""
        return self.data / "plugins" / plugin


def private_dir(path: Path) -> Path:
    """Create a folder with mode 0700, parents included, and return it."""
    missing = []
    folder = path
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Replace a file in one step, mode 0600; a crash leaves the old content or the new."""
    private_dir(path.parent)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
