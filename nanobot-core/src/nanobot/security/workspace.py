"""The disk guard: every file that a tool touches is opened here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, kw_only=True, slots=True)
class Stat:
    """What is known of a file: kind is ``file``, ``dir``, ``link`` or ``other``."""

    kind: str
    size: int
    mtime: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A name in a folder; path is relative to the folder that was listed or walked."""

    path: str
    kind: str
    size: int
    mtime: float


class Workspace:
    """Guarded access to files.

    A path is text as a model writes it: relative to the root, absolute, or with ``~``. Nothing is
    opened by its path: every step goes through descriptors, so that a path that was checked is the
    path that is used. All methods block; call them in a thread.

    Args:
        root: The folder that relative paths start from.
        restricted: True to refuse everything outside the root.
        denied: Folders and files that are refused even when unrestricted: the instance's own data
            and transcripts.
    """

    def __init__(
        self, root: Path, *, restricted: bool = True, denied: tuple[Path, ...] = ()
    ) -> None:
        self.root = root
        self.restricted = restricted
        self.denied = denied

    def open_read(self, path: str) -> BinaryIO:
        """Open a regular file for reading.

        Raises:
            OutsideWorkspace: The path leaves what may be touched.
            ToolError: kind ``not_found``, ``not_a_file``, ``denied`` or ``bad_path``.
        """
        raise NotImplementedError

    def stat(self, path: str) -> Stat:
        """Look at a file or folder without opening it; a link is followed if it stays inside."""
        raise NotImplementedError

    def write(self, path: str, data: bytes) -> None:
        """Create or replace a file in one step, with missing folders; keeps the mode of the old."""
        raise NotImplementedError

    def remove(self, path: str) -> None:
        """Delete a regular file."""
        raise NotImplementedError

    def rename(self, source: str, destination: str) -> None:
        """Move a regular file; the destination must not exist."""
        raise NotImplementedError

    def list(self, path: str) -> tuple[Entry, ...]:
        """List a folder, sorted by name."""
        raise NotImplementedError

    def walk(self, path: str) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """Walk a folder tree in sorted order without following links."""
        raise NotImplementedError
