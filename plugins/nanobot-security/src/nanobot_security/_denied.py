"""What belongs to nanobot itself, known by identity instead of by name."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic

from nanobot_security import _kernel

Identity = tuple[int, int]
"""Device and inode number."""

_PROC_READABLE = frozenset(
    {"cpuinfo", "devices", "diskstats", "filesystems", "loadavg", "meminfo", "modules"}
    | {"partitions", "stat", "swaps", "uptime", "version", "vmstat"}
)
_INODES_FRESH_S = 1.0


class DeniedAccess(Exception):
    """Report a place that is refused whatever the restriction."""


class Replaced(Exception):
    """Report that a file lost its name while it was opened."""


class HardLinked(Exception):
    """Report a file with several names, in a workspace where that is refused.

    Args:
        file: Its identity.
    """

    def __init__(self, file: Identity) -> None:
        super().__init__()
        self.file = file


def identify(status: os.stat_result) -> Identity:
    """Return what makes a file or folder the same under every name."""
    return status.st_dev, status.st_ino


class DeniedTrees:
    """Folders and files that no tool may touch.

    They are looked up anew for every use, because they may be created after the guard is.

    Args:
        paths: The folders and files; need not exist.
    """

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self._paths = tuple(path.expanduser().absolute() for path in paths)
        self._inodes: frozenset[Identity] = frozenset()
        self._inodes_until = 0.0

    def identities(self) -> frozenset[Identity]:
        """Return the identities of those that exist."""
        found = (_identity(path) for path in self._paths)
        return frozenset(identity for identity in found if identity is not None)

    def check_new(self, folder: int, name: str) -> None:
        """Refuse to create a name where a denied path does not exist yet."""
        for path in self._paths:
            missing = path
            while not os.path.lexists(missing):
                same_name = missing.name.casefold() == name.casefold()
                if same_name and _identity(missing.parent) == identify(os.fstat(folder)):
                    raise DeniedAccess
                missing = missing.parent

    def check_links(self, status: os.stat_result) -> None:
        """Refuse a file with several names when one of them lies in a denied tree."""
        if status.st_nlink < 2 or not self._paths:
            return
        now = monotonic()
        if now >= self._inodes_until:
            self._inodes = frozenset(_inodes(self._paths))
            self._inodes_until = now + _INODES_FRESH_S
        if identify(status) in self._inodes:
            raise DeniedAccess


def check_procfs(descriptor: int, folder: int, name: str) -> None:
    """Refuse all of the process file system but plain facts about the machine.

    A process's environment, memory, descriptors and root are files there.

    Args:
        descriptor: What was opened.
        folder: The folder that it was opened in.
        name: Its name there.
    """
    if not _kernel.is_procfs(descriptor):
        return
    at_mount = os.stat("..", dir_fd=folder).st_dev != os.fstat(folder).st_dev
    if not (at_mount and name in _PROC_READABLE):
        raise DeniedAccess


def _identity(path: Path) -> Identity | None:
    try:
        return identify(path.stat())
    except OSError:
        return None


def _inodes(paths: tuple[Path, ...]) -> Iterator[Identity]:
    """Find every file below the paths, without following links."""
    todo = [str(path) for path in paths if not path.is_file()]
    yield from (found for path in paths if (found := _identity(path)) is not None)
    while todo:
        with suppress(OSError), os.scandir(todo.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
                elif entry.is_file(follow_symlinks=False):
                    yield identify(entry.stat(follow_symlinks=False))
