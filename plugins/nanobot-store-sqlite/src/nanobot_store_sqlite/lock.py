"""One process at a time on one database file."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from nanobot.errors import StorageError


class FileLock:
    """A lock that ends with its process, however that ends; the file itself stays.

    Args:
        path: The database file; the lock is beside it, named ``<path>.lock``.
    """

    def __init__(self, path: Path) -> None:
        self._guarded = path
        self._path = path.with_name(f"{path.name}.lock")
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            StorageError: Somebody holds it; names the process.
            OSError: The lock file can not be written.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        descriptor = os.open(self._path, flags, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise StorageError(
                f"process {holder or 'unknown'} uses the store {self._guarded} already",
                remedy="Stop that process, or name another file in gateway.store.path.",
            ) from None
        except OSError:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; nothing happens when it is not held."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
