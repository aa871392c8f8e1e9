"""What was acknowledged is there after the process was killed, or its log was cut off."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing import run

ACCEPTOR = Path(__file__).with_name("acceptor.py")


def killed(folder: Path, *, acks: int, tasks: int, mode: str = "honest") -> list[str]:
    """Kill a process that accepts messages; return what it acknowledged."""
    command = [sys.executable, str(ACCEPTOR), str(folder), str(tasks), mode]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout
        seen = [process.stdout.readline() for _ in range(acks)]
        process.kill()
        seen += process.stdout.readlines()
    return [line.decode().strip() for line in seen if line.endswith(b"\n")]


def lost(opened: Any, folder: Path, acknowledged: list[str]) -> set[str]:
    async def kept() -> set[str]:
        async with opened(folder) as store:
            assert await store.healthy() == ""
            return {row.id for row in await store.unfinished()}

    return set(acknowledged) - run(kept())


@pytest.mark.parametrize(("acks", "tasks"), [(1, 1), (50, 1), (10, 8), (400, 8), (2000, 64)])
def test_nothing_acknowledged_is_lost_by_a_kill(
    opened: Any, tmp_path: Path, acks: int, tasks: int
) -> None:
    acknowledged = killed(tmp_path, acks=acks, tasks=tasks)
    assert len(acknowledged) >= acks
    assert not lost(opened, tmp_path, acknowledged)


def test_kill_after_kill(opened: Any, tmp_path: Path) -> None:
    first = killed(tmp_path, acks=30, tasks=4)
    again = killed(tmp_path, acks=1, tasks=len(first) + 4)
    assert not lost(opened, tmp_path, first + again)


def test_a_store_that_acknowledges_too_early_is_found_out(opened: Any, tmp_path: Path) -> None:
    acknowledged = killed(tmp_path, acks=50, tasks=4, mode="eager")
    assert lost(opened, tmp_path, acknowledged) == set(acknowledged)


@pytest.fixture
def history(opened: Any, tmp_path: Path, message: Any) -> tuple[Path, list[int]]:
    """Give copies of a store's files in use, and how long the log was after each acceptance."""
    copy = tmp_path / "copy"
    copy.mkdir()

    async def go() -> list[int]:
        lengths = []
        async with opened() as store:
            for n in range(40):
                assert await store.accept(message(n, size=37 * n))
                lengths.append((tmp_path / "state.db-wal").stat().st_size)
            for name in ("state.db", "state.db-wal"):
                shutil.copy(tmp_path / name, copy / name)
        return lengths

    return copy, run(go())


def cut(copy: Path, folder: Path, change: Any) -> None:
    folder.mkdir()
    for name in ("state.db", "state.db-wal"):
        shutil.copy(copy / name, folder / name)
    change(folder / "state.db-wal")


def test_a_log_that_is_cut_off_gives_a_prefix(
    opened: Any, tmp_path: Path, history: tuple[Path, list[int]]
) -> None:
    copy, lengths = history
    assert lengths == sorted(lengths) and lengths[0] > 0
    cuts = sorted({*range(0, lengths[-1], 4999), *lengths, *(length - 1 for length in lengths)})

    async def kept(folder: Path) -> list[str]:
        async with opened(folder) as store:
            return [row.id for row in await store.unfinished()]

    for length in cuts:
        folder = tmp_path / f"cut-{length}"
        cut(copy, folder, lambda wal, length=length: os.truncate(wal, length))
        ids = run(kept(folder))
        assert ids == [f"in-{n}" for n in range(len(ids))]
        assert len(ids) == sum(written <= length for written in lengths)
        assert not list(folder.glob("*.corrupt-*"))


def test_a_log_with_a_flipped_byte_gives_a_prefix(
    opened: Any, tmp_path: Path, history: tuple[Path, list[int]]
) -> None:
    copy, lengths = history

    async def kept(folder: Path) -> list[str]:
        async with opened(folder) as store:
            return [row.id for row in await store.unfinished()]

    for number, position in enumerate(range(40, lengths[-1], lengths[-1] // 25)):

        def flip(wal: Path, position: int = position) -> None:
            data = bytearray(wal.read_bytes())
            data[position] ^= 0x55
            wal.write_bytes(data)

        folder = tmp_path / f"flip-{number}"
        cut(copy, folder, flip)
        ids = run(kept(folder))
        assert ids == [f"in-{n}" for n in range(len(ids))]
        assert len(ids) >= sum(written <= position for written in lengths)
