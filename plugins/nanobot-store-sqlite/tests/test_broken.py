"""A broken file is set aside, and what can be read of it goes on."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from nanobot_gateway.store import UsageRow
from nanobot_testing import run

PAGE = 512
ROWS = 300


@pytest.fixture
def filled(opened: Any, tmp_path: Path, message: Any, reply: Any) -> Path:
    """Give the file of a store that was closed in order."""

    async def go() -> None:
        used = UsageRow(turn="t", at=5.0, labels={"a": "b"}, numbers={"n": 1.0})
        async with opened() as store:
            for n in range(ROWS):
                await store.accept(message(n, size=300))
            await store.accept(message(ROWS))
            await store.finish([f"in-{ROWS}"], [reply(1)], [used])
            await store.claim("job", "now")
            await store.put("area", "key", b"value")

    run(go())
    return tmp_path / "state.db"


def overwrite(path: Path, page: int, data: bytes = b"\xa5" * PAGE) -> None:
    with path.open("r+b") as file:
        file.seek((page - 1) * PAGE)
        file.write(data)


def leaves(path: Path, table: str) -> list[int]:
    """Return the pages that hold the rows of a table, in order."""
    with sqlite3.connect(path) as db:
        root = db.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,))
        (number,) = root.fetchone()
    db.close()
    content = path.read_bytes()

    def below(number: int) -> list[int]:
        page = content[(number - 1) * PAGE : number * PAGE]
        if page[0] == 13:
            return [number]
        assert page[0] == 5, "an inner page"
        cells = int.from_bytes(page[3:5], "big")
        starts = [int.from_bytes(page[12 + 2 * n : 14 + 2 * n], "big") for n in range(cells)]
        children = [page[start : start + 4] for start in starts] + [page[8:12]]
        return [leaf for child in children for leaf in below(int.from_bytes(child, "big"))]

    return below(number)


async def everything(store: Any) -> tuple[Any, ...]:
    return (
        [row.id for row in await store.unfinished()],
        [row.id for row in await store.undelivered()],
        await store.items("area"),
        [row.turn for row in await store.usage(0, 10)],
        await store.claim("job", "now"),
    )


REST = (["out-1"], {"key": b"value"}, ["t"], False)


def crashed(path: Path) -> None:
    """Make the file look like that of a process that was killed."""
    path.with_name("state.db-wal").write_bytes(b"\0" * 32)


def test_rows_beside_a_broken_page_are_kept(opened: Any, recorder: Any, filled: Path) -> None:
    pages = leaves(filled, "inbox")
    overwrite(filled, pages[len(pages) // 2])
    before = filled.read_bytes()
    crashed(filled)

    async def go() -> tuple[Any, ...]:
        async with opened() as store:
            found = await everything(store)
            assert await store.healthy() == ""
            return found

    ids, *rest = run(go())
    assert tuple(rest) == REST
    assert ROWS * 0.8 < len(ids) < ROWS
    assert ids == sorted(ids, key=lambda id: int(id[3:])) and ids[0] == "in-0"
    assert ids[-1] == f"in-{ROWS - 1}"
    assert filled.with_name("state.db.corrupt-1").read_bytes() == before
    assert "broken" in recorder.at("warning")[0]


def test_the_next_broken_file_gets_a_name_of_its_own(opened: Any, filled: Path) -> None:
    async def go() -> Any:
        async with opened() as store:
            return await store.unfinished()

    for number in (1, 2):
        overwrite(filled, leaves(filled, "inbox")[0])
        crashed(filled)
        run(go())
        aside = filled.with_name(f"state.db.corrupt-{number}")
        assert aside.exists() and aside.stat().st_mode & 0o777 == 0o600
        assert filled.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "content", [b"no database at all" * 500, b"SQLite format 3\0" + b"\xff" * 9000]
)
def test_a_file_without_anything_to_read_is_set_aside(
    opened: Any, tmp_path: Path, message: Any, content: bytes
) -> None:
    (tmp_path / "state.db").write_bytes(content)

    async def go() -> Any:
        async with opened() as store:
            assert await store.accept(message(1))
            return await store.unfinished()

    assert list(run(go())) == [message(1)]
    assert (tmp_path / "state.db.corrupt-1").read_bytes() == content


def test_a_file_that_breaks_in_use_is_replaced_under_a_question(
    opened: Any, recorder: Any, filled: Path
) -> None:
    pages = leaves(filled, "inbox")

    async def go() -> tuple[Any, ...]:
        async with opened() as store:
            overwrite(filled, pages[3])
            return await everything(store)

    ids, *rest = run(go())
    assert tuple(rest) == REST and ROWS * 0.8 < len(ids) < ROWS
    assert recorder.at("warning") and filled.with_name("state.db.corrupt-1").exists()


def test_a_file_that_breaks_in_use_is_replaced_under_a_change(
    opened: Any, filled: Path, message: Any
) -> None:
    async def go() -> Any:
        async with opened() as store:
            last = leaves(filled, "inbox")[-1]
            for page in range(last, filled.stat().st_size // PAGE + 1):
                overwrite(filled, page)
            assert await store.accept(message(ROWS + 1))
            assert not await store.accept(message(ROWS + 2, key=f"key-{ROWS + 1}"))
            return [row.id for row in await store.unfinished()]

    ids = run(go())
    assert ids[0] == "in-0" and ids[-1] == f"in-{ROWS + 1}" and len(ids) > 100


def test_a_crash_between_the_two_renames_is_made_good(
    opened: Any, tmp_path: Path, filled: Path
) -> None:
    async def go() -> tuple[Any, ...]:
        async with opened() as store:
            return await everything(store)

    whole = run(go())
    filled.rename(tmp_path / "state.db.new")
    (tmp_path / "state.db-wal").write_bytes(b"of the broken file")
    assert run(go()) == whole
    assert not (tmp_path / "state.db.new").exists()


def test_a_broken_index_costs_nothing(opened: Any, filled: Path) -> None:
    with sqlite3.connect(filled) as db:
        query = "SELECT rootpage FROM sqlite_master WHERE name = 'claims_kept'"
        (root,) = db.execute(query).fetchone()
    db.close()
    overwrite(filled, root)
    crashed(filled)

    async def go() -> tuple[Any, ...]:
        async with opened() as store:
            return await everything(store)

    ids, *rest = run(go())
    assert ids == [f"in-{n}" for n in range(ROWS)] and tuple(rest) == REST
