"""kill -9 at every write of a turn: nothing is lost, nothing happens twice."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("child.py")
STEP = 8
"""Each test takes every eighth write, so that the tests share the work."""


def go(
    folder: Path, fatal: int, kind: str, honest: str = "honest"
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(fatal), kind, honest],
        capture_output=True,
        text=True,
        timeout=60,
    )


@dataclass
class Outcome:
    """What the world saw of one message: how often it was answered, and its effects."""

    folder: Path

    def _lines(self, name: str) -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []

    @property
    def answers(self) -> list[str]:
        received = (json.loads(line) for line in self._lines("received"))
        return [text for id, text in received if id.endswith(":end")]

    @property
    def effects(self) -> int:
        return len(self._lines("effects"))


def outcomes(tmp_path: Path, kind: str, first: int) -> Iterator[tuple[int, Outcome]]:
    """Kill at one write after the other, start again, and yield what came of it."""
    fatal = first
    while True:
        folder = tmp_path / str(fatal)
        folder.mkdir()
        died = go(folder, fatal, kind)
        if died.returncode != -9:
            assert died.returncode == 0, died.stderr
            assert int(died.stdout) < fatal
            return
        again = go(folder, 0, kind)
        assert again.returncode == 0, again.stderr
        yield fatal, Outcome(folder)
        fatal += STEP


@pytest.mark.parametrize("first", range(1, STEP + 1))
def test_where_the_platform_drops_duplicates(tmp_path: Path, first: int) -> None:
    killed = 0
    for fatal, outcome in outcomes(tmp_path, "dedupe", first):
        killed += 1
        assert len(outcome.answers) == 1, f"killed at write {fatal}: {outcome.answers}"
        assert outcome.effects <= 1, f"killed at write {fatal}: the tool ran twice"
        if outcome.answers == ["tool said ok"]:
            assert outcome.effects == 1
    assert killed, "the child writes less than thought: nothing was tested"


@pytest.mark.parametrize("first", [1, 5])
def test_where_it_does_not(tmp_path: Path, first: int) -> None:
    """Never twice; and at most the one delivery that was under way is given up, with a receipt."""
    for fatal, outcome in outcomes(tmp_path, "plain", first):
        assert len(outcome.answers) <= 1, f"killed at write {fatal}: {outcome.answers}"
        assert outcome.effects <= 1
        if not outcome.answers:
            assert receipts(outcome.folder) == ["unknown"]


def receipts(folder: Path) -> list[str]:
    import sqlite3

    with sqlite3.connect(folder / "data" / "state.db") as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master")]
        assert "outbox" in tables
        return [row[0] for row in database.execute("select state from outbox")]


def test_the_detector_sees_a_loss(tmp_path: Path) -> None:
    """Negative control: a gateway that acknowledges before it stores loses the message."""
    lost = 0
    for fatal in range(1, 200, 3):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        if go(folder, fatal, "dedupe", "forgetful").returncode != -9:
            break
        assert go(folder, 0, "dedupe").returncode == 0
        lost += not Outcome(folder).answers
        if lost:
            return
    pytest.fail("acknowledging before storing went unnoticed")
