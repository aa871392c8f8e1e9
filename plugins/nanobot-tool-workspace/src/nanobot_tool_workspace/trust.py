"""What the owner approved: one content for each file, kept where no tool can write."""

from __future__ import annotations

import json
from pathlib import Path

from nanobot.errors import StorageError
from nanobot.paths import write_private

from nanobot_tool_workspace.sources import Source

FILE = "trusted.json"


class Trust:
    """The approved files.

    Args:
        folder: The plugin's data folder.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._digests = self._load()

    def _load(self) -> dict[str, str]:
        """Read what was approved; of a damaged file nothing counts."""
        try:
            kept = json.loads(self._path.read_bytes())
        except (OSError, ValueError):
            return {}
        items = kept.items() if isinstance(kept, dict) else ()
        return {path: digest for path, digest in items if isinstance(digest, str)}

    def state(self, source: Source) -> str:
        """Return ``trusted``, ``changed`` since it was approved, ``new``, or ``unreadable``."""
        if source.problem:
            return "unreadable"
        approved = self._digests.get(str(source.path))
        if approved is None:
            return "new"
        return "trusted" if approved == source.digest else "changed"

    def approve(self, source: Source) -> None:
        """Trust a file with the content that was read, and no other."""
        self._digests[str(source.path)] = source.digest
        self._save()

    def revoke(self, path: Path) -> bool:
        """Trust a file no longer; tells whether it was."""
        was = self._digests.pop(str(path), None) is not None
        if was:
            self._save()
        return was

    def approved(self, folder: Path) -> tuple[Path, ...]:
        """Return the approved files in a folder, those that are gone too."""
        return tuple(p for p in map(Path, sorted(self._digests)) if p.parent == folder)

    def _save(self) -> None:
        try:
            write_private(self._path, json.dumps(self._digests, indent=2).encode())
        except OSError as error:
            raise StorageError(
                f"{self._path} can not be written: {error.strerror or error}"
            ) from None
