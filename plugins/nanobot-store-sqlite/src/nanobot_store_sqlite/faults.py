"""What an error of SQLite or of the disk means, in words."""

from __future__ import annotations

import errno
import shutil
import sqlite3
from pathlib import Path

from nanobot.errors import StorageError, describe

REFUSALS = (
    sqlite3.DataError,
    sqlite3.IntegrityError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
)
"""What SQLite says about one statement; any other error of it concerns the whole file."""

_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_NEARLY_NOTHING = 64 * 1024
_CORRUPT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


class Broken(Exception):
    """Report that the content of the database file makes no sense."""


def primary_code(error: BaseException) -> int:
    """Return SQLite's primary result code, 0 when the error has none."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def is_broken(error: BaseException) -> bool:
    """Tell whether the file is at fault, not the disk or the caller."""
    return isinstance(error, Broken) or primary_code(error) in _CORRUPT


def is_locked(error: BaseException) -> bool:
    """Tell whether another program is in the way; then nothing has been tried yet."""
    return primary_code(error) in _LOCKED


def is_full(error: BaseException) -> bool:
    """Tell whether there was no room; what was begun has left nothing behind then."""
    return primary_code(error) == sqlite3.SQLITE_FULL


def locked(path: Path) -> StorageError:
    """Return the error for a file that another program holds."""
    return StorageError(
        f"another program keeps {path} locked: nothing can be stored",
        remedy="Close it (a database browser, a backup); the store then goes on by itself.",
    )


def refused(error: BaseException) -> StorageError:
    """Return the error for the one who asked for something that can not be kept."""
    return StorageError(
        f"this can not be stored: {describe(error)}",
        remedy="Nothing was changed; the same call will fail again.",
    )


def explain(error: BaseException, path: Path) -> StorageError:
    """Return what to tell about a fault of the file or of its disk."""
    if isinstance(error, StorageError):
        return StorageError(error.message, remedy=error.remedy)
    code, number = primary_code(error), getattr(error, "errno", 0)
    if code == sqlite3.SQLITE_FULL or number == errno.ENOSPC or _is_full(path):
        return StorageError(
            f"the disk with {path} is full: nothing can be stored",
            remedy="Free some space there; the store then goes on by itself.",
        )
    if code == sqlite3.SQLITE_READONLY or number == errno.EROFS:
        return StorageError(
            f"{path} is read-only: nothing can be stored",
            remedy="Make the file, its folder and its disk writable for this user.",
        )
    if is_locked(error):
        return locked(path)
    if code == sqlite3.SQLITE_CANTOPEN or isinstance(error, OSError):
        return StorageError(
            f"{path} can not be opened: {getattr(error, 'strerror', '') or error}",
            remedy="Check that its folder exists and that this user may write to it.",
        )
    if code == sqlite3.SQLITE_IOERR:
        return StorageError(
            f"the disk with {path} reports an error: {error}",
            remedy="Check the disk, its quota and the limits of the process.",
        )
    return StorageError(
        f"{path} can not be used: {describe(error)}",
        remedy="Stop nanobot, move the file away and start again if this goes on.",
    )


def _is_full(path: Path) -> bool:
    try:
        return shutil.disk_usage(path.parent).free < _NEARLY_NOTHING
    except OSError:
        return False
