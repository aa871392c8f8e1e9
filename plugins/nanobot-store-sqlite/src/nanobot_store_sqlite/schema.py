"""The tables, and how rows are written in them.

Rows are in the order of ``seq``: SQLite gives a new row one more than the greatest that is there,
so the order never depends on a clock. What is written at each turn is laid out so that few pages
change: an inbox of open messages only, the keys of all, messages to deliver, which never change,
and how far they have come; new rows at the end of each, and no index. A message without a row in
``deliveries`` is queued; all before ``floor`` are done.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from nanobot.errors import StorageError

VERSION = 1

PAGE_BYTES = 512
"""A commit writes whole pages, and changes a few bytes in each: small ones make it small."""

STATEMENTS = (
    """CREATE TABLE IF NOT EXISTS inbox (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        key TEXT NOT NULL,
        session TEXT NOT NULL,
        payload BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS keys (
        seq INTEGER PRIMARY KEY,
        key TEXT NOT NULL,
        kept INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS outgoing (
        seq INTEGER PRIMARY KEY,
        id TEXT NOT NULL,
        lane TEXT NOT NULL,
        payload BLOB NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS deliveries (
        seq INTEGER PRIMARY KEY,
        state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'sent', 'unknown', 'dead')),
        platform_id TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        error TEXT NOT NULL,
        done INTEGER)""",
    """CREATE VIEW IF NOT EXISTS outbox AS
        SELECT outgoing.seq AS seq, id, lane, payload, coalesce(state, 'queued') AS state,
            coalesce(platform_id, '') AS platform_id, coalesce(attempts, 0) AS attempts,
            coalesce(error, '') AS error, done
        FROM outgoing LEFT JOIN deliveries ON deliveries.seq = outgoing.seq""",
    "CREATE TABLE IF NOT EXISTS floor (id INTEGER PRIMARY KEY, seq INTEGER NOT NULL)",
    "INSERT OR IGNORE INTO floor VALUES (1, 0)",
    """CREATE TABLE IF NOT EXISTS claims (
        seq INTEGER PRIMARY KEY,
        job TEXT NOT NULL,
        occurrence TEXT NOT NULL,
        kept REAL NOT NULL,
        UNIQUE (job, occurrence))""",
    "CREATE INDEX IF NOT EXISTS claims_kept ON claims (kept)",
    """CREATE TABLE IF NOT EXISTS items (
        seq INTEGER PRIMARY KEY,
        area TEXT NOT NULL,
        key TEXT NOT NULL,
        value BLOB NOT NULL,
        UNIQUE (area, key))""",
    """CREATE TABLE IF NOT EXISTS usage (
        seq INTEGER PRIMARY KEY,
        turn TEXT NOT NULL,
        at REAL NOT NULL,
        kept INTEGER NOT NULL,
        labels TEXT NOT NULL,
        numbers TEXT NOT NULL)""",
)

IN_MEMORY = (
    "PRAGMA temp_store = MEMORY",
    "CREATE TEMP TABLE open_messages (id PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE known_keys (key PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE known_messages (id PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TEMP TABLE known_turns (turn PRIMARY KEY) WITHOUT ROWID",
    "INSERT OR IGNORE INTO open_messages SELECT id, seq FROM inbox",
    "INSERT OR IGNORE INTO known_keys SELECT key, seq FROM keys",
    "INSERT OR IGNORE INTO known_messages SELECT id, seq FROM outgoing",
    "INSERT OR IGNORE INTO known_turns SELECT turn FROM usage ORDER BY seq DESC LIMIT 50000",
)
"""What must not come twice, and where it is. These tables take part in transactions like any other
but are never written to the disk, where every index would cost each turn some pages more; the one
process that writes builds them anew when it opens the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """What a salvaged row must look like.

    Args:
        columns: Names, with a letter for the type: i(nteger), r(eal), t(ext), b(ytes),
            j(son object), n(ull or integer).
    """

    name: str
    columns: str

    @property
    def names(self) -> str:
        """Return the columns' names as SQL."""
        return ", ".join(column.split(":")[0] for column in self.columns.split())

    def fits(self, row: tuple[object, ...]) -> bool:
        """Tell whether a row can be what was once written."""
        kinds = [column.split(":")[1] for column in self.columns.split()]
        return all(_FITS[kind](value) for kind, value in zip(kinds, row, strict=True))


def _is_object(value: object) -> bool:
    try:
        return isinstance(value, str) and isinstance(json.loads(value), dict)
    except ValueError:
        return False


_FITS: dict[str, Callable[[object], bool]] = {
    "i": lambda value: isinstance(value, int),
    "r": lambda value: isinstance(value, float),
    "t": lambda value: isinstance(value, str | bytes),
    "b": lambda value: isinstance(value, bytes),
    "j": _is_object,
    "n": lambda value: value is None or isinstance(value, int),
}

TABLES = (
    Table(name="inbox", columns="seq:i id:t key:t session:t payload:b"),
    Table(name="keys", columns="seq:i key:t kept:i"),
    Table(name="outgoing", columns="seq:i id:t lane:t payload:b"),
    Table(name="deliveries", columns="seq:i state:t platform_id:t attempts:i error:t done:n"),
    Table(name="claims", columns="seq:i job:t occurrence:t kept:r"),
    Table(name="items", columns="seq:i area:t key:t value:b"),
    Table(name="usage", columns="seq:i turn:t at:r kept:i labels:j numbers:j"),
)


def prepare(db: sqlite3.Connection, path: object) -> None:
    """Make the tables, if they are not there; nothing is changed in what is not understood.

    Raises:
        StorageError: The file is of a newer version, or of another program.
    """
    version = int(db.execute("PRAGMA user_version").fetchone()[0])
    if version > VERSION:
        raise StorageError(
            f"{path} was written by a newer version of nanobot-store-sqlite "
            f"(its format is {version}, this version knows {VERSION}); nothing was changed",
            remedy="Upgrade nanobot-store-sqlite, or name another file in gateway.store.path.",
        )
    if version == 0 and db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone():
        raise StorageError(
            f"{path} is a database of another program; nothing was changed",
            remedy="Name another file in gateway.store.path.",
        )
    db.execute(f"PRAGMA page_size = {PAGE_BYTES}")  # counts for a file that is empty
    db.execute("BEGIN IMMEDIATE")
    for statement in STATEMENTS:
        db.execute(statement)
    if version != VERSION:
        db.execute(f"PRAGMA user_version = {VERSION}")
    db.execute("COMMIT")
