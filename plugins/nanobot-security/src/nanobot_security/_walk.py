"""Listing folders and walking trees through descriptors, so that a swapped folder leads nowhere."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import BinaryIO

from nanobot.errors import ToolError

from nanobot_security import _kernel
from nanobot_security._denied import DeniedAccess, HardLinked, Identity, Replaced, identify
from nanobot_security._records import Entry, entry_of

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
MAX_DEPTH = 64  # one descriptor is held for each level of a walk

Admit = Callable[[int, int, str], os.stat_result]
"""Check an opened file: (descriptor, folder, name) -> its status, or an exception."""


def names_in(folder: int, denied: frozenset[Identity]) -> list[tuple[str, os.stat_result]]:
    """Return the sorted names in an open folder, with what is known of each."""
    found = []
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if identify(status) not in denied:
                found.append((name, status))
    found.sort(key=lambda item: item[0])
    return found


def walk_tree(
    top: int,
    *,
    admit: Admit,
    denied: frozenset[Identity],
    contents: bool,
    prune: Callable[[Entry], bool] | None,
) -> Iterator[tuple[Entry, BinaryIO | None]]:
    """Walk an open folder; see `Disk.walk`."""
    levels = [_Level(top, "", denied)]
    try:
        while levels:
            level = levels[-1]
            if not level.names:
                levels.pop()
                if levels:
                    os.close(level.folder)
                continue
            name, status = level.names.popleft()
            entry = entry_of(level.prefix + name, status)
            if prune is not None and prune(entry):
                continue
            if stat.S_ISREG(status.st_mode) and contents:
                file = _open_file(level.folder, name, admit)
                try:
                    yield entry, file
                finally:
                    if file is not None:
                        file.close()
                continue
            yield entry, None
            if stat.S_ISDIR(status.st_mode) and len(levels) < MAX_DEPTH:
                inner = _open_folder(level.folder, name, denied)
                if inner is not None:
                    levels.append(_Level(inner, f"{level.prefix}{name}/", denied))
    finally:
        for level in levels[1:]:
            os.close(level.folder)


class _Level:
    """An open folder of a walk, with the names in it that are still to come."""

    def __init__(self, folder: int, prefix: str, denied: frozenset[Identity]) -> None:
        self.folder = folder
        self.prefix = prefix
        self.names: deque[tuple[str, os.stat_result]] = deque()
        with suppress(OSError):  # a folder that goes away is as good as empty
            self.names.extend(names_in(folder, denied))


def _open_file(folder: int, name: str, admit: Admit) -> BinaryIO | None:
    """Open a file that may be read; None when it may not, or is gone."""
    try:
        descriptor = os.open(name, READ, dir_fd=folder)
    except OSError:
        return None
    try:
        admit(descriptor, folder, name)
        return os.fdopen(descriptor, "rb")
    except (ToolError, DeniedAccess, HardLinked, Replaced):
        os.close(descriptor)
        return None


def _open_folder(folder: int, name: str, denied: frozenset[Identity]) -> int | None:
    try:
        inner = os.open(name, READ | os.O_DIRECTORY, dir_fd=folder)
    except OSError:
        return None
    if identify(os.fstat(inner)) in denied or _kernel.is_procfs(inner):
        os.close(inner)
        return None
    return inner
