"""How the store works: together, alone on its file, privately, and with time passing."""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import StorageError
from nanobot_gateway.store import Delivery, InboxRow, UsageRow
from nanobot_store_sqlite import writer
from nanobot_store_sqlite.config import SqliteConfig
from nanobot_testing import run

# --- commits ------------------------------------------------------------------------------------


def test_what_comes_together_is_committed_together(opened: Any, message: Any) -> None:
    async def go() -> list[str]:
        statements: list[str] = []
        async with opened() as store:
            await store.healthy()
            store._database.writer().set_trace_callback(statements.append)
            await asyncio.gather(*(store.accept(message(n)) for n in range(200)))
            store._database.writer().set_trace_callback(None)
        return statements

    statements = run(go())
    assert sum("INSERT INTO inbox" in statement for statement in statements) == 200
    assert 1 <= statements.count("COMMIT") <= 3


@pytest.mark.parametrize(("durability", "level"), [("full", 2), ("relaxed", 1)])
def test_how_a_commit_reaches_the_disk(
    opened: Any, message: Any, durability: str, level: int
) -> None:
    """SQLite calls 1 NORMAL: no waiting for the disk at a commit; and 2 FULL: waiting."""

    async def go() -> list[int]:
        levels = []
        async with opened(durability=durability) as store:
            db = store._database.writer()
            for change in (
                store.accept(message(1)),
                store.finish(["in-1"]),
                store.claim("job", "now"),
                store.put("area", "key", b""),
            ):
                await store.healthy()
                await change
                levels.append(db.execute("PRAGMA synchronous").fetchone()[0])
            await store.mark("none", Delivery.SENT)
            await store.delivery("none")
            levels.append(db.execute("PRAGMA synchronous").fetchone()[0])
        return levels

    assert run(go()) == [level] * 4 + [1]


def test_a_note_of_a_delivery_is_seen_by_the_next_question(opened: Any, reply: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            await store.finish([], [reply(1)])
            await store.mark("out-1", Delivery.SENDING)
            assert [row.attempts for row in await store.undelivered()] == [1]
            await store.mark("out-1", Delivery.SENT)
            assert not await store.undelivered()

    run(go())


def test_a_note_is_stored_without_anybody_asking(opened: Any, tmp_path: Path, reply: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            await store.finish([], [reply(1)])
            await store.mark("out-1", Delivery.SENT)
            await store._writer._idle.wait()
            with sqlite3.connect(tmp_path / "state.db") as other:
                assert other.execute("SELECT state FROM outbox").fetchall() == [("sent",)]
            other.close()

    run(go())


def test_a_cancelled_caller_harms_nobody(opened: Any, message: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            tasks = [asyncio.create_task(store.accept(message(n))) for n in range(3)]
            await asyncio.sleep(0)
            tasks[1].cancel()
            done = await asyncio.gather(*tasks, return_exceptions=True)
            assert isinstance(done[1], asyncio.CancelledError)
            assert done[0] is True and done[2] is True

    run(go())


def test_the_event_loop_gives_way_to_a_commit_that_takes_long(
    opened: Any, tmp_path: Path, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A loop that is never idle would starve the thread that commits."""

    async def go() -> None:
        given = asyncio.Event()
        monkeypatch.setattr(writer, "sleep", lambda seconds: given.set())
        async with opened() as store:
            other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            accepted = asyncio.create_task(store.accept(message(1)))
            await given.wait()
            other.execute("ROLLBACK")
            other.close()
            assert await accepted
            assert store._writer._turn.cancelled(), "only as long as it is needed"

    run(go())


def test_texts_of_any_kind(opened: Any) -> None:
    texts = ["", "\0", "a\0b", "\ud800", "\udfff\ud800", "ü", "🙂", "'; DROP TABLE inbox; --"]
    rows = [InboxRow(id=f"i{text}", key=text, session_key=text, payload=b"") for text in texts]

    async def go() -> None:
        async with opened() as store:
            assert [await store.accept(row) for row in rows] == [True] * len(rows)
            assert [await store.accept(row) for row in rows] == [False] * len(rows)
        async with opened() as store:
            assert list(await store.unfinished()) == rows
            await store.finish([row.id for row in rows])
            assert not await store.unfinished()

    run(go())


def test_a_large_message(opened: Any, message: Any) -> None:
    async def go() -> Any:
        async with opened() as store:
            await store.accept(message(1, size=30_000_000))
        async with opened() as store:
            return await store.unfinished()

    (row,) = run(go())
    assert len(row.payload) > 30_000_000


# --- the file -----------------------------------------------------------------------------------


def test_files_are_private(opened: Any, tmp_path: Path, message: Any) -> None:
    folder = tmp_path / "new" / "data"

    async def go() -> None:
        async with opened(path=str(folder / "messages.db")) as store:
            await store.accept(message(1))
            names = sorted(path.name for path in folder.iterdir())
            assert names == [f"messages.db{suffix}" for suffix in ("", "-shm", "-wal", ".lock")]
            assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.parent.stat().st_mode & 0o777 == 0o700

    before = os.umask(0)
    try:
        run(go())
    finally:
        os.umask(before)


def test_a_file_that_others_may_read_is_closed_to_them(opened: Any, tmp_path: Path) -> None:
    async def go() -> None:
        async with opened():
            pass

    run(go())
    path = tmp_path / "state.db"
    path.chmod(0o644)
    run(go())
    assert path.stat().st_mode & 0o777 == 0o600


def test_closing_leaves_one_file(opened: Any, tmp_path: Path, message: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            await store.accept(message(1))

    run(go())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state.db", "state.db.lock"]


def test_a_second_opening_in_the_process_is_refused(
    opened: Any, tmp_path: Path, message: Any
) -> None:
    async def go() -> None:
        async with opened() as store:
            with pytest.raises(StorageError) as caught:
                async with opened(path=str(tmp_path / "." / "state.db")):
                    pass
            assert re.search(rf"\b{os.getpid()}\b", caught.value.message)
            assert str(tmp_path / "state.db") in caught.value.message
            assert await store.accept(message(1)), "the first goes on"
        async with opened():
            pass

    run(go())


def test_a_second_process_is_refused_until_the_first_is_dead(opened: Any, tmp_path: Path) -> None:
    acceptor = Path(__file__).with_name("acceptor.py")
    command = [sys.executable, str(acceptor), str(tmp_path), "1", "honest"]

    async def go() -> None:
        async with opened():
            pass

    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout and process.stdout.readline()
        with pytest.raises(StorageError) as caught:
            run(go())
        assert re.search(rf"\b{process.pid}\b", caught.value.message)
        assert "gateway.store.path" in caught.value.remedy
        process.kill()
    run(go())


def test_a_stale_lock_file_is_harmless(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "state.db.lock").write_text("1\nof long ago")

    async def go() -> None:
        async with opened() as store:
            assert (tmp_path / "state.db.lock").read_text() == f"{os.getpid()}\n"
            assert await store.healthy() == ""

    run(go())


def altered(path: Path, statement: str) -> bytes:
    with sqlite3.connect(path) as db:
        db.execute(statement)
    db.close()
    return path.read_bytes()


@pytest.mark.parametrize(
    ("statement", "says"),
    [("PRAGMA user_version = 2", "newer"), ("CREATE TABLE theirs (x)", "another program")],
)
def test_a_file_that_is_not_understood_is_left_alone(
    opened: Any, tmp_path: Path, statement: str, says: str
) -> None:
    content = altered(tmp_path / "state.db", statement)

    async def go() -> None:
        async with opened():
            pass

    with pytest.raises(StorageError, match=says) as caught:
        run(go())
    assert "gateway.store.path" in caught.value.remedy
    assert (tmp_path / "state.db").read_bytes() == content
    assert not list(tmp_path.glob("*corrupt*"))


def test_a_closed_store_says_so(opened: Any, message: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            pass
        for call in (store.accept(message(1)), store.unfinished(), store.mark("x", Delivery.SENT)):
            with pytest.raises(StorageError, match="closed"):
                await call

    run(go())


def test_an_opening_that_is_cancelled_leaves_nothing_locked(opened: Any) -> None:
    async def enter() -> None:
        async with opened():
            await asyncio.Event().wait()

    async def go() -> None:
        for rounds in range(6):
            task = asyncio.create_task(enter())
            for _ in range(rounds):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait({task})
            async with opened() as store:
                assert await store.healthy() == ""

    run(go())


def test_a_closing_that_is_cancelled_frees_the_file(opened: Any, message: Any) -> None:
    async def go() -> None:
        entered = asyncio.Event()

        async def hold() -> None:
            async with opened() as store:
                asyncio.ensure_future(store.accept(message(1))).cancel()
                store._writer.submit(lambda db: None)
                entered.set()

        task = asyncio.create_task(hold())
        await entered.wait()
        task.cancel()
        await asyncio.wait({task})
        async with opened() as store:
            assert await store.healthy() == ""

    run(go())


def test_a_start_reads_no_more_than_it_must(opened: Any, hand_clock: Any, reply: Any) -> None:
    """A question at the start must not read through all that was ever finished."""

    async def go() -> None:
        async with opened() as store:
            await store.finish([], [reply(n) for n in range(20)])
            for n in range(15):
                await store.mark(f"out-{n}", Delivery.SENT)
        clock = hand_clock()
        async with opened(clock=clock) as store:
            await clock.slept.wait()
            floor = store._database.writer().execute("SELECT seq FROM floor").fetchone()
            assert floor == (16,)
            plan = "EXPLAIN QUERY PLAN SELECT id FROM outbox WHERE seq >= 16 AND done IS NULL"
            steps = [row[-1] for row in store._database.writer().execute(plan)]
            assert all("SEARCH" in step for step in steps), steps
            await store.mark("out-3", Delivery.QUEUED)
            rows = await store.undelivered()
            assert [row.id for row in rows] == [f"out-{n}" for n in (3, *range(15, 20))]

    run(go())


def test_a_turn_writes_little(opened: Any, tmp_path: Path, message: Any, reply: Any) -> None:
    async def go() -> float:
        async with opened() as store:
            log = tmp_path / "state.db-wal"
            before = log.stat().st_size
            for n in range(100):
                used = UsageRow(turn=f"{n}", at=5.0, labels={"session": "s"}, numbers={"n": 1.0})
                await store.accept(message(n, size=200))
                await store.finish([f"in-{n}"], [reply(n)], [used])
                await store.mark(f"out-{n}", Delivery.SENDING)
                await store.mark(f"out-{n}", Delivery.SENT)
                await store.undelivered()
            return (log.stat().st_size - before) / 100

    assert run(go()) < 5000


# --- time ---------------------------------------------------------------------------------------


def test_keys_are_kept_for_a_week_at_least() -> None:
    with pytest.raises(ValueError):
        SqliteConfig.model_validate({"keepDays": 6})
    assert SqliteConfig.model_validate({"keepDays": 7}).keep_days == 7


def prepared(opened: Any, clock: Any, message: Any, reply: Any) -> Any:
    async def go() -> None:
        old = UsageRow(turn="t", at=5.0, labels={}, numbers={})
        async with opened(clock=clock) as store:
            await store.accept(message(1))
            await store.accept(message(2))
            await store.finish(["in-1"], [reply(1), reply(2)], [old])
            await store.mark("out-1", Delivery.SENT)
            for occurrence in ("first", "last"):
                await store.claim("job", occurrence)

    run(go())


async def known(
    opened: Any, clock: Any, message: Any, days: int = 0
) -> tuple[bool, bool, bool, int]:
    """Tell whether a finished key, a sent row and an old occurrence are known; count usage.

    Args:
        days: How long the store is open before that.
    """
    async with opened(clock=clock) as store:
        await clock.slept.wait()
        if days:
            await clock.until_slept(days=days)
        accepted = await store.accept(message(99, key="key-1"))
        await store.finish(["in-99"])
        assert not await store.claim("job", "last"), "a job's last occurrence stays"
        return (
            not accepted,
            await store.delivery("out-1") is not None,
            not await store.claim("job", "first"),
            len(await store.usage(0, 10)),
        )


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (13, (True, True, True, 1)),
        (15, (False, False, True, 1)),
        (401, (False, False, False, 0)),
    ],
)
def test_what_is_old_enough_is_forgotten(
    opened: Any, hand_clock: Any, message: Any, reply: Any, days: int, expected: Any
) -> None:
    prepared(opened, hand_clock(), message, reply)

    async def go() -> None:
        clock = hand_clock()
        assert await known(opened, clock, message, days) == expected
        async with opened(clock=clock) as store:
            assert [row.id for row in await store.unfinished()] == ["in-2"]
            assert [row.id for row in await store.undelivered()] == ["out-2"]

    run(go())


def test_pruning_goes_on_in_small_steps(
    opened: Any, hand_clock: Any, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanobot_store_sqlite.operations.PRUNED_AT_ONCE", 10)

    async def go() -> None:
        async with opened(clock=hand_clock()) as store:
            for n in range(25):
                await store.accept(message(n))
            await store.finish([f"in-{n}" for n in range(25)])
        clock = hand_clock()
        async with opened(clock=clock) as store:
            await clock.slept.wait()
            for left, days in ((15, 20), (5, 1), (0, 1)):
                await clock.until_slept(days=days)
                count = "SELECT count(*) FROM keys"
                assert store._database.writer().execute(count).fetchone() == (left,)
                assert (clock.asleep[-1] < 1) == (left > 0)

    run(go())


def test_a_clock_that_goes_back_changes_neither_order_nor_memory(
    opened: Any, hand_clock: Any, message: Any, reply: Any
) -> None:
    prepared(opened, hand_clock(), message, reply)

    async def go() -> None:
        clock = hand_clock()
        clock.wall -= timedelta(days=3650)
        assert await known(opened, clock, message) == (True, True, True, 1)
        async with opened(clock=clock) as store:
            await store.accept(message(3))
            assert [row.id for row in await store.unfinished()] == ["in-2", "in-3"]
        clock = hand_clock()  # it is right again
        assert await known(opened, clock, message) == (True, True, True, 1)

    run(go())


def test_a_clock_that_leaps_between_two_processes_forgets_nothing(
    opened: Any, hand_clock: Any, message: Any, reply: Any
) -> None:
    prepared(opened, hand_clock(), message, reply)
    clock = hand_clock()
    clock.wall += timedelta(days=3650)
    assert run(known(opened, clock, message)) == (True, True, True, 1)


def test_a_clock_that_leaps_while_the_store_is_open_forgets_nothing(
    opened: Any, hand_clock: Any, message: Any, reply: Any
) -> None:
    async def go() -> None:
        clock = hand_clock()
        async with opened(clock=clock) as store:
            await clock.slept.wait()
            clock.wall += timedelta(days=3650)
            await store.accept(message(1))
            await store.finish(["in-1"])
            clock.wall -= timedelta(days=3650)
        clock = hand_clock()
        async with opened(clock=clock) as store:
            await clock.slept.wait()
            assert not await store.accept(message(2, key="key-1"))
            await clock.until_slept(days=15)
            assert await store.accept(message(2, key="key-1")), "it is forgotten when it is old"

    run(go())
