"""The database file and its two connections, one that writes and one that reads."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from nanobot.log import Logger
from nanobot.paths import private_dir

from nanobot_store_sqlite import schema
from nanobot_store_sqlite.faults import is_broken, locked
from nanobot_store_sqlite.lock import FileLock
from nanobot_store_sqlite.operations import verify
from nanobot_store_sqlite.salvage import beside, finish_replacing, replace_broken, sync_folder

P = ParamSpec("P")
T = TypeVar("T")

PATIENCE_MS = 5000
"""How long another program, such as a backup, may keep the file locked."""
CACHE_KIB = 16 * 1024
FOLDED_PAGES = 8192
"""Pages in the write-ahead log, some four megabytes, at which it is folded into the file."""
LARGEST_LOG = 16 * 1024 * 1024
"""Bytes to which the write-ahead log is cut after a burst."""


class Database:
    """One file, held by this process alone.

    `read` may be called at any time; everything else by one thread at a time.

    Args:
        path: The file.
        durable: A durable commit is on the disk when it returns, not just in the system's cache.
        log: Takes what the owner should know.
    """

    def __init__(self, path: Path, durable: bool, log: Logger) -> None:
        self.path = path
        self._durable = durable
        self._log = log
        self._lock = FileLock(path)
        self._writer: sqlite3.Connection | None = None
        self._reader: sqlite3.Connection | None = None
        self._reading = threading.Lock()
        self._changes = 0
        self._synced = False
        self._doubtful = False

    # --- opening and closing --------------------------------------------------------------------

    def open(self) -> None:
        """Take the file, make it when it is not there, and put a broken one in order.

        Raises:
            StorageError: It is in use, of a newer version, or of another program.
            OSError, sqlite3.Error: The disk does not play along.
        """
        private_dir(self.path.parent)
        self._lock.acquire()
        try:
            finish_replacing(self.path)
            log = beside(self.path, "-wal")
            crashed = log.exists() and log.stat().st_size > 0
            try:
                self._connect()
                if crashed:
                    verify(self.writer())
            except Exception as error:
                if not is_broken(error):
                    raise
                self.replace(error)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connections, which folds the write-ahead log into the file; free the file."""
        self._disconnect()
        self._lock.release()

    def writer(self) -> sqlite3.Connection:
        """Return the connection that writes, newly opened after a fault."""
        if self._writer is None:
            self._connect()
        assert self._writer
        return self._writer

    def doubt(self) -> None:
        """Drop the connections after a fault of the disk: what it did to the log is not known."""
        self._doubtful = True
        self._disconnect()

    def replace(self, cause: BaseException) -> None:
        """Put a new file in the place of the broken one, with what can be read of it."""
        with self._reading:  # nobody may have the file open while it is renamed
            self._disconnect_both()
            aside, rows = replace_broken(self.path)
        self._log.warning(
            "the store was broken; what could be read of it is in a new file",
            file=str(self.path),
            broken_file=str(aside),
            rows=rows,
            cause=str(cause),
        )
        self._connect()

    # --- working --------------------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """Tell whether a transaction can begin at once."""
        return self._writer is not None

    def begin(self, *, durable: bool, patient: bool) -> sqlite3.Connection:
        """Begin a transaction that writes, and return its connection.

        Args:
            durable: Its commit is to survive a power cut.
            patient: Wait for another program that is in the way.
        """
        db = self.writer()
        if (durable and self._durable) != self._synced:
            self._synced = not self._synced
            db.execute(f"PRAGMA synchronous = {'FULL' if self._synced else 'NORMAL'}")
        if patient:
            db.execute(f"PRAGMA busy_timeout = {PATIENCE_MS}")
        try:
            db.execute("BEGIN IMMEDIATE")
        finally:
            if patient:
                db.execute("PRAGMA busy_timeout = 0")
        self._changes = db.total_changes
        return db

    def commit(self) -> bool:
        """Commit what was begun; True when there was a change in it."""
        db = self.writer()
        db.execute("COMMIT")
        return db.total_changes > self._changes

    def roll_back(self) -> None:
        """Undo what was begun, if anything was."""
        if self._writer is not None and self._writer.in_transaction:
            with suppress(sqlite3.Error):
                self._writer.execute("ROLLBACK")

    def read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **named: P.kwargs,
    ) -> T:
        """Return what a question gives; a failed one makes the next use a new connection."""
        with self._reading:
            if self._reader is None:
                self._reader = _connect(self.path)
                self._reader.execute("PRAGMA query_only = ON")
            try:
                return work(self._reader, *args, **named)
            except sqlite3.Error:
                self._reader.close()
                self._reader = None
                raise

    # --- connections ----------------------------------------------------------------------------

    def _connect(self) -> None:
        self._create()
        db = _connect(self.path)
        try:
            schema.prepare(db, self.path)
            if self.path.stat().st_mode & 0o077:
                self.path.chmod(0o600)
            mode = db.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            if mode != "wal":
                raise OSError(f"its disk allows no write-ahead log (SQLite says {mode!r})")
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
            db.execute("PRAGMA fullfsync = ON")  # where fsync alone does not reach the disk
            db.execute("PRAGMA checkpoint_fullfsync = ON")
            db.execute(f"PRAGMA journal_size_limit = {LARGEST_LOG}")
            db.execute(f"PRAGMA wal_autocheckpoint = {FOLDED_PAGES}")
            db.execute("PRAGMA secure_delete = FAST")  # zeroes only where that writes nothing more
            for statement in schema.IN_MEMORY:
                db.execute(statement)
            if self._doubtful:
                # After a failed fsync the log may have a hole on the disk that the system's cache
                # hides. Nothing is acknowledged before the log is in the file and begins anew.
                if db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
                    raise locked(self.path)
                self._doubtful = False
            db.execute("PRAGMA busy_timeout = 0")  # see `begin`
        except BaseException:
            db.close()
            raise
        self._writer, self._synced = db, False

    def _create(self) -> None:
        with suppress(FileExistsError):
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            sync_folder(self.path.parent)

    def _disconnect(self) -> None:
        with self._reading:
            self._disconnect_both()

    def _disconnect_both(self) -> None:
        for db in (self._reader, self._writer):
            if db is not None:
                with suppress(sqlite3.Error):
                    db.close()
        self._reader = self._writer = None


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=PATIENCE_MS / 1000, isolation_level=None, check_same_thread=False
    )
