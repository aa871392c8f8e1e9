"""Sets a broken database file aside and takes over what can still be read of it.

The order of the steps lets a crash at any moment be made good at the next opening: as long as the
broken file has its name, everything starts anew; once it has lost it, the new file is complete.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from nanobot_store_sqlite.schema import PAGE_BYTES, TABLES, Table, prepare

LARGEST_TOLD = 2**36
"""Bytes; a file that says it is longer has no head that can be believed."""
MOST_FAILURES = 50_000
"""Rows that are tried in vain, one after the other, before the rest of a table is given up."""


def beside(path: Path, suffix: str) -> Path:
    """Return the path of a file that belongs to a database file."""
    return path.with_name(path.name + suffix)


def replace_broken(path: Path) -> tuple[Path, int]:
    """Put a new file in the place of a broken one, with the rows that can be read.

    No connection to the file may be open.

    Returns:
        Where the broken file is now, and how many rows were taken over.

    Raises:
        OSError, sqlite3.Error: The new file can not be written; everything is as it was.
    """
    fresh = beside(path, ".new")
    for leftover in (fresh, beside(fresh, "-journal")):
        leftover.unlink(missing_ok=True)
    os.close(os.open(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    length = path.stat().st_size
    try:
        os.truncate(path, max(length, _told_length(path)))
        rows = _copy(path, fresh)
    finally:
        os.truncate(path, length)
    number = 1
    while (aside := beside(path, f".corrupt-{number}")).exists():
        number += 1
    path.rename(aside)
    if beside(path, "-wal").exists():
        beside(path, "-wal").rename(beside(aside, "-wal"))
    finish_replacing(path)
    return aside, rows


def finish_replacing(path: Path) -> None:
    """Give the new file its name, if a crash came between; the broken file has lost it then."""
    fresh = beside(path, ".new")
    if path.exists() or not fresh.exists():
        return
    for suffix in ("-wal", "-shm"):  # SQLite would take them for those of the new file
        beside(path, suffix).unlink(missing_ok=True)
    fresh.rename(path)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names of new files in a folder survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _told_length(path: Path) -> int:
    """Return how long a file says it is: of one that is shorter, SQLite reads nothing at all."""
    with path.open("rb") as file:
        head = file.read(32)
    pages = int.from_bytes(head[28:32], "big") if head.startswith(b"SQLite format 3\0") else 0
    return min(pages * PAGE_BYTES, LARGEST_TOLD)


def _copy(path: Path, fresh: Path) -> int:
    rows = 0
    with closing(sqlite3.connect(fresh, isolation_level=None)) as target:
        prepare(target, fresh)
        target.execute("BEGIN IMMEDIATE")
        for table in TABLES:
            places = ", ".join("?" * len(table.columns.split()))
            # Two rows with the same key can only be there by the damage: the first one counts.
            insert = f"INSERT OR IGNORE INTO {table.name} ({table.names}) VALUES ({places})"  # noqa: S608
            for row in _readable(path, table):
                rows += target.execute(insert, row).rowcount
        _reconcile(target)
        target.execute("COMMIT")
    return rows


def _reconcile(target: sqlite3.Connection) -> None:
    """Let every open message have its key, and no note belong to a message that is lost."""
    target.execute(
        "INSERT INTO keys (key, kept) SELECT key, 0 FROM inbox WHERE key NOT IN "
        "(SELECT key FROM keys)"
    )
    target.execute("DELETE FROM deliveries WHERE seq NOT IN (SELECT seq FROM outgoing)")


def _readable(path: Path, table: Table) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a table that can be read, some of them twice."""
    with suppress(sqlite3.Error), closing(_open_broken(path)) as source:
        # Fails at once, not for each row, when not even the tables can be found.
        source.execute(f"EXPLAIN SELECT * FROM {table.name}")  # noqa: S608
        if not (yield from _scan(source, table, 1)):
            # From the other end: what is beyond a long stretch that can not be read.
            yield from _scan(source, table, -1)


def _scan(
    source: sqlite3.Connection, table: Table, step: int
) -> Generator[tuple[Any, ...], None, bool]:
    """Yield rows upwards (1) or downwards (-1), stepping over what fails; tell if nothing did."""
    # From a row on, not beyond the one before it: that one may be what can not be read.
    compare, order, start = (">=", "ASC", 0) if step > 0 else ("<=", "DESC", 2**63 - 1)
    query = (
        f"SELECT {table.names} FROM {table.name} NOT INDEXED "  # noqa: S608
        f"WHERE seq {compare} ? ORDER BY seq {order} LIMIT ?"
    )
    failures, whole, alone = 0, True, False
    while failures < MOST_FAILURES:
        found = False
        try:
            for row in source.execute(query, (start, 1 if alone else -1)):
                start, failures, found = row[0] + step, 0, True
                if table.fits(row):
                    yield row
            if not (alone and found):
                return whole
            alone = False
        except (sqlite3.DatabaseError, OverflowError):
            if alone:
                start, failures = start + step, failures + 1
            # The module reads a row ahead, and drops the one before a row that can not be read.
            whole, alone = False, True
    return whole


def _open_broken(path: Path) -> sqlite3.Connection:
    source = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
    source.text_factory = lambda value: value.decode("utf-8", "replace")
    return source
