"""What the store does, as SQL on a connection; the caller brings the transaction."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from sqlite3 import Connection
from typing import Any

from nanobot_gateway.store import Delivery, InboxRow, OutboxRow, UsageRow

from nanobot_store_sqlite.faults import Broken

PRUNED_AT_ONCE = 500
_PROBE_BYTES = 64 * 1024
_WAITING = (Delivery.QUEUED, Delivery.SENDING)
_SLACK_S = 3600.0
"""By how much a key's time may be behind the end of its message; it spares a write at most ends."""
_PRUNE_KEYS = (
    "DELETE FROM keys WHERE kept < :before AND key NOT IN (SELECT key FROM inbox) "
    "AND seq IN (SELECT seq FROM keys ORDER BY seq LIMIT :most)"
)
_PRUNE_OUTGOING = (
    "DELETE FROM outgoing WHERE seq IN (SELECT seq FROM deliveries WHERE done < :before "
    "AND seq IN (SELECT seq FROM outgoing ORDER BY seq LIMIT :most))"
)
_FORGET = (
    "DELETE FROM deliveries WHERE seq NOT IN (SELECT seq FROM outgoing)",
    "DELETE FROM known_keys WHERE seq NOT IN (SELECT seq FROM keys)",
    "DELETE FROM known_messages WHERE seq NOT IN (SELECT seq FROM outgoing)",
)
_PRUNE_USAGE = (
    "DELETE FROM usage WHERE kept < :before "
    "AND seq IN (SELECT seq FROM usage ORDER BY seq LIMIT :most)"
)
_PRUNE_CLAIMS = (
    "DELETE FROM claims WHERE seq IN (SELECT seq FROM claims AS old WHERE kept < :before "
    "AND EXISTS (SELECT 1 FROM claims WHERE job = old.job AND seq > old.seq) LIMIT :most)"
)
_OUTBOX = "id, lane, payload, state, platform_id, attempts, error"
_UNDELIVERED = (
    f"SELECT {_OUTBOX} FROM outbox WHERE seq >= (SELECT seq FROM floor) "  # noqa: S608
    "AND done IS NULL ORDER BY seq"
)


def to_column(value: str) -> str | bytes:
    """Return a text as it is stored: half a surrogate pair, which is no UTF-8, makes it bytes."""
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        return value.encode("utf-8", "surrogatepass")
    return value


def from_column(value: str | bytes) -> str:
    """Return a text that was stored."""
    return value if isinstance(value, str) else value.decode("utf-8", "surrogatepass")


@contextmanager
def _all_or_nothing(db: Connection) -> Iterator[None]:
    db.execute("SAVEPOINT work")
    try:
        yield
    except BaseException:
        if db.in_transaction:  # SQLite itself rolls back when the disk is full
            db.execute("ROLLBACK TO work")
            db.execute("RELEASE work")
        raise
    db.execute("RELEASE work")


# --- changes ------------------------------------------------------------------------------------


def accept(db: Connection, now: float, row: InboxRow) -> bool:
    """Keep a message; False when its key is known."""
    values = (to_column(row.id), to_column(row.key), to_column(row.session_key), row.payload)
    with _all_or_nothing(db):
        if db.execute("SELECT 1 FROM known_keys WHERE key = ?", values[1:2]).fetchone():
            return False
        done = db.execute(
            "INSERT INTO inbox (id, key, session, payload) VALUES (?, ?, ?, ?)", values
        )
        db.execute("INSERT INTO open_messages VALUES (?, ?)", (values[0], done.lastrowid))
        done = db.execute("INSERT INTO keys (key, kept) VALUES (?, ?)", (values[1], int(now)))
        db.execute("INSERT INTO known_keys VALUES (?, ?)", (values[1], done.lastrowid))
    return True


def finish(
    db: Connection,
    now: float,
    inbox: Sequence[str],
    outbox: Sequence[OutboxRow],
    usage: Sequence[UsageRow],
) -> None:
    """Let messages be done with and keep what they led to."""
    with _all_or_nothing(db):
        for id in inbox:
            _close(db, now, to_column(id))
        for row in outbox:
            _send(db, now, row)
        for used in usage:
            turn = to_column(used.turn)
            if db.execute("INSERT OR IGNORE INTO known_turns VALUES (?)", (turn,)).rowcount:
                facts = (_compact(used.labels), _compact(used.numbers))
                db.execute(
                    "INSERT INTO usage (turn, at, kept, labels, numbers) VALUES (?, ?, ?, ?, ?)",
                    (turn, used.at, int(now), *facts),
                )


def _close(db: Connection, now: float, id: str | bytes) -> None:
    """Drop a message, of which only the key is of use, against duplicates."""
    query = (
        "SELECT seq, (SELECT known_keys.seq FROM inbox JOIN known_keys USING (key) "
        "WHERE inbox.seq = open_messages.seq) FROM open_messages WHERE id = ?"
    )
    if found := db.execute(query, (id,)).fetchone():
        db.execute("DELETE FROM inbox WHERE seq = ?", found[:1])
        db.execute("DELETE FROM open_messages WHERE id = ?", (id,))
        late = "UPDATE keys SET kept = ? WHERE seq = ? AND kept < ?"
        db.execute(late, (int(now), found[1], now - _SLACK_S))


def _send(db: Connection, now: float, row: OutboxRow) -> None:
    id = to_column(row.id)
    if db.execute("SELECT 1 FROM known_messages WHERE id = ?", (id,)).fetchone():
        return
    seq = db.execute(
        "INSERT INTO outgoing (id, lane, payload) VALUES (?, ?, ?)",
        (id, to_column(row.lane), row.payload),
    ).lastrowid
    assert seq is not None
    db.execute("INSERT INTO known_messages VALUES (?, ?)", (id, seq))
    facts = (row.state, row.platform_id, row.attempts, row.error)
    if facts != (Delivery.QUEUED, "", 0, ""):
        _note(db, now, seq, *facts)


def _compact(values: Mapping[str, Any]) -> str:
    return json.dumps(dict(values), separators=(",", ":"))


def mark(
    db: Connection, now: float, id: str, state: Delivery, platform_id: str, error: str
) -> None:
    """Note how far a delivery has come."""
    query = (
        "SELECT seq, platform_id, attempts FROM outbox "
        "WHERE seq = (SELECT seq FROM known_messages WHERE id = ?)"
    )
    if found := db.execute(query, (to_column(id),)).fetchone():
        seq, platform, attempts = found
        attempts += int(state is Delivery.SENDING)
        _note(db, now, seq, state, from_column(platform) or platform_id, attempts, error)


def _note(
    db: Connection,
    now: float,
    seq: int,
    state: Delivery,
    platform_id: str,
    attempts: int,
    error: str,
) -> None:
    done = None if state in _WAITING else int(now)
    db.execute(
        "INSERT OR REPLACE INTO deliveries (seq, state, platform_id, attempts, error, done) "
        "VALUES (?, ?, ?, ?, ?, ?)",
        (seq, state.value, to_column(platform_id), attempts, to_column(error), done),
    )
    if done is None:
        db.execute("UPDATE floor SET seq = ? WHERE seq > ?", (seq, seq))


def claim(db: Connection, now: float, job: str, occurrence: str) -> bool:
    """Take an occurrence; False when it was taken before."""
    done = db.execute(
        "INSERT INTO claims (job, occurrence, kept) VALUES (?, ?, ?) "
        "ON CONFLICT (job, occurrence) DO NOTHING",
        (to_column(job), to_column(occurrence), now),
    )
    return done.rowcount == 1


def put(db: Connection, area: str, key: str, value: bytes | None) -> None:
    """Keep or remove a small value."""
    place = (to_column(area), to_column(key))
    if value is None:
        db.execute("DELETE FROM items WHERE area = ? AND key = ?", place)
        return
    db.execute(
        "INSERT INTO items (area, key, value) VALUES (?, ?, ?) "
        "ON CONFLICT (area, key) DO UPDATE SET value = excluded.value",
        (*place, value),
    )


def probe(db: Connection) -> None:
    """Write something, so that it shows whether anything can be written; leave nothing behind."""
    db.execute(
        "INSERT OR REPLACE INTO items (area, key, value) VALUES ('', 'probe', zeroblob(?))",
        (_PROBE_BYTES,),
    )
    db.execute("DELETE FROM items WHERE area = '' AND key = 'probe'")


def prune(db: Connection, finished_before: float, history_before: float) -> bool:
    """Forget a few of the rows that are old enough; True when there are more.

    The last occurrence of a job stays, however old: a schedule that runs once must not run twice.
    """
    most = 0
    for statement, before in (
        (_PRUNE_OUTGOING, finished_before),
        (_PRUNE_KEYS, finished_before - _SLACK_S),
        (_PRUNE_USAGE, history_before),
        (_PRUNE_CLAIMS, history_before),
    ):
        done = db.execute(statement, {"before": before, "most": PRUNED_AT_ONCE})
        most = max(most, done.rowcount)
    if most:
        for statement in _FORGET:
            db.execute(statement)
    first = "SELECT seq FROM outbox WHERE seq >= (SELECT seq FROM floor) AND done IS NULL"
    last = "SELECT coalesce(max(seq), 0) + 1 FROM outgoing"
    floor = db.execute(f"SELECT coalesce(({first} ORDER BY seq LIMIT 1), ({last}))").fetchone()
    # Not above the last row there ever was: numbers begin anew when all are forgotten.
    db.execute("UPDATE floor SET seq = ? WHERE seq <> ?", (*floor, *floor))
    return most >= PRUNED_AT_ONCE


def verify(db: Connection) -> None:
    """Read through the whole file.

    Raises:
        Broken: Its content makes no sense.
    """
    db.execute("PRAGMA shrink_memory")  # what is in the cache says nothing about the file
    found = db.execute("PRAGMA quick_check(1)").fetchone()
    if found is None or found[0] != "ok":
        raise Broken(str(found and found[0]))


# --- questions ----------------------------------------------------------------------------------


def last_seen(db: Connection) -> float:
    """Return the latest time in the file, 0 when there is none."""
    latest = [
        db.execute("SELECT max(kept) FROM keys").fetchone()[0],
        db.execute("SELECT max(done) FROM deliveries").fetchone()[0],
        db.execute("SELECT max(kept) FROM claims").fetchone()[0],
    ]
    return max((float(value) for value in latest if value is not None), default=0.0)


def unfinished(db: Connection) -> list[InboxRow]:
    """Return the messages that are not done with."""
    rows = db.execute("SELECT id, key, session, payload FROM inbox ORDER BY seq")
    return [
        InboxRow(
            id=from_column(id),
            key=from_column(key),
            session_key=from_column(session),
            payload=payload,
        )
        for id, key, session, payload in rows
    ]


def undelivered(db: Connection) -> list[OutboxRow]:
    """Return the messages to deliver."""
    return [_outbox_row(row) for row in db.execute(_UNDELIVERED)]


def delivery(db: Connection, id: str) -> OutboxRow | None:
    """Return a row of the outbox."""
    query = f"SELECT {_OUTBOX} FROM outbox WHERE id = ?"  # noqa: S608
    row = db.execute(query, (to_column(id),)).fetchone()
    return None if row is None else _outbox_row(row)


def items(db: Connection, area: str) -> Mapping[str, bytes]:
    """Return the values of an area by key."""
    rows = db.execute(
        "SELECT key, value FROM items WHERE area = ? ORDER BY seq", (to_column(area),)
    )
    return {from_column(key): value for key, value in rows}


def usage(db: Connection, since: float, until: float) -> list[UsageRow]:
    """Return what was used from a time on and before another."""
    rows = db.execute(
        "SELECT turn, at, labels, numbers FROM usage WHERE at >= ? AND at < ? ORDER BY seq",
        (since, until),
    )
    return [
        UsageRow(
            turn=from_column(turn), at=at, labels=json.loads(labels), numbers=json.loads(numbers)
        )
        for turn, at, labels, numbers in rows
    ]


def _outbox_row(row: tuple[Any, ...]) -> OutboxRow:
    id, lane, payload, state, platform_id, attempts, error = row
    return OutboxRow(
        id=from_column(id),
        lane=from_column(lane),
        payload=payload,
        state=Delivery(state),
        platform_id=from_column(platform_id),
        attempts=attempts,
        error=from_column(error),
    )
