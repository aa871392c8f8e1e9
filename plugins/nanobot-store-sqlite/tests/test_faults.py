"""Faults of the disk are told in words, lose nothing, and pass by themselves."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import StorageError
from nanobot_gateway.store import Delivery
from nanobot_store_sqlite import database
from nanobot_testing import run


def test_a_full_disk(opened: Any, recorder: Any, small_disk: Any, message: Any, reply: Any) -> None:
    async def go() -> None:
        async with opened(small_disk.folder) as store:
            await store.finish([], [reply(1)])
            for n in range(100):
                assert await store.accept(message(n, size=1000))
            small_disk.fill()
            with pytest.raises(StorageError, match=small_disk.says) as caught:
                for n in range(100, 2000):
                    await store.accept(message(n, size=5000))
            refused = n
            assert caught.value.remedy
            assert small_disk.says in await store.healthy()
            await store.mark("out-1", Delivery.SENT, platform_id="p")
            with pytest.raises(StorageError):
                await store.put("area", "key", b"x" * 100_000)
            assert len(await store.unfinished()) == refused, "a full disk can be read"
            small_disk.free()
            assert await store.healthy() == ""
            assert await store.accept(message(refused, size=5000))
            assert len(await store.unfinished()) == refused + 1
            row = await store.delivery("out-1")
            assert row and row.state is Delivery.SENT, "the note was kept until it could be stored"
        async with opened(small_disk.folder) as store:
            assert [row.id for row in await store.unfinished()] == [
                f"in-{n}" for n in range(refused + 1)
            ]

    run(go())
    assert len(recorder.at("error")) == 1, "a fault is reported once"
    assert recorder.at("warning") == ["the store works again"]


def test_opening_on_a_disk_without_room(opened: Any, small_disk: Any) -> None:
    async def go() -> None:
        small_disk.fill(4096)
        with pytest.raises(StorageError) as caught:
            async with opened(small_disk.folder):
                pass
        assert str(small_disk.folder) in caught.value.message and caught.value.remedy
        small_disk.free()
        async with opened(small_disk.folder) as store:
            assert await store.healthy() == ""

    run(go())


def test_a_full_file_fails_all_that_was_to_be_stored_together(opened: Any, message: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            assert await store.accept(message(0))
            store._database.writer().execute("PRAGMA max_page_count = 1")
            rows = [message(n, size=3000) for n in range(1, 30)]
            answers = await asyncio.gather(
                *(store.accept(row) for row in rows), return_exceptions=True
            )
            assert all(isinstance(answer, StorageError) for answer in answers)
            assert "full" in str(answers[0])
            assert list(await store.unfinished()) == [message(0)]
            assert "full" in await store.healthy()
            store._database.writer().execute("PRAGMA max_page_count = 100000")
            assert all(await asyncio.gather(*(store.accept(row) for row in rows)))

    run(go())


def test_a_file_that_became_read_only(opened: Any, message: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            store._database.writer().execute("PRAGMA query_only = ON")
            with pytest.raises(StorageError, match="read-only"):
                await store.accept(message(1))
            assert await store.accept(message(1))

    run(go())


def test_a_read_only_disk(opened: Any, read_only: Path) -> None:
    async def go() -> None:
        async with opened(read_only):
            pass

    with pytest.raises(StorageError, match="read-only") as caught:
        run(go())
    assert "writable" in caught.value.remedy


def test_another_program_in_the_way(
    opened: Any, tmp_path: Path, message: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PATIENCE_MS", 20)

    async def go() -> None:
        async with opened() as store:
            other = sqlite3.connect(tmp_path / "state.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="another program"):
                await store.accept(message(1))
            assert "another program" in await store.healthy()
            other.execute("ROLLBACK")
            other.close()
            assert await store.accept(message(1))
            assert await store.healthy() == ""

    run(go())


def test_notes_that_wait_for_room_are_bounded(
    opened: Any, small_disk: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nanobot_store_sqlite.writer.MOST_KEPT", 10)

    async def go() -> None:
        async with opened(small_disk.folder) as store:
            small_disk.fill()
            with pytest.raises(StorageError):
                await store.put("area", "key", b"x" * 200_000)
            with pytest.raises(StorageError):
                for _ in range(11):
                    await store.mark("out-1", Delivery.SENT)
            small_disk.free()
            assert await store.healthy() == ""
            await store.mark("out-1", Delivery.SENT)

    run(go())


def test_what_can_not_be_stored_fails_alone(opened: Any, message: Any, reply: Any) -> None:
    async def go() -> None:
        async with opened() as store:
            bad = object()
            answers = await asyncio.gather(
                store.accept(message(1)),
                store.accept(message(1, key="another key with the same id")),
                store.finish(["in-1"], [reply(1), bad]),  # type: ignore[list-item]
                store.put("area", "key", bad),  # type: ignore[arg-type]
                store.accept(message(2)),
                return_exceptions=True,
            )
            assert [type(answer) for answer in answers] == [
                bool,
                StorageError,
                StorageError,
                StorageError,
                bool,
            ]
            assert list(await store.unfinished()) == [message(1), message(2)]
            assert not await store.undelivered(), "all or nothing"
            assert await store.healthy() == ""

    run(go())
