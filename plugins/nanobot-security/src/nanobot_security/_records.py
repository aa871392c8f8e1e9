"""What the disk guard tells about files."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import BinaryIO


@dataclass(frozen=True, kw_only=True, slots=True)
class Stat:
    """What is known of a file: kind is ``file``, ``dir``, ``link`` or ``other``."""

    kind: str
    size: int
    mtime: float
    mode: int = 0o644


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A name in a folder; path is relative to the folder that was listed or walked."""

    path: str
    kind: str
    size: int
    mtime: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """A file that was opened for reading, and what is known of exactly this file.

    Args:
        file: The open file, to be closed by whoever asked for it.
        stat: Its size and time of change.
        inside: True when it lies in the workspace; mark its content untrusted otherwise.
    """

    file: BinaryIO = field(repr=False)
    stat: Stat
    inside: bool


def kind_of(mode: int) -> str:
    """Return the kind of a file with this mode."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "dir"
    return "link" if stat.S_ISLNK(mode) else "other"


def stat_of(status: os.stat_result) -> Stat:
    """Return the record of a system's answer."""
    return Stat(
        kind=kind_of(status.st_mode),
        size=status.st_size,
        mtime=status.st_mtime,
        mode=stat.S_IMODE(status.st_mode),
    )


def entry_of(path: str, status: os.stat_result) -> Entry:
    """Return the record of one name; bytes that are no UTF-8 are shown as replacement signs."""
    shown = os.fsencode(path).decode("utf-8", "replace")
    return Entry(
        path=shown, kind=kind_of(status.st_mode), size=status.st_size, mtime=status.st_mtime
    )
