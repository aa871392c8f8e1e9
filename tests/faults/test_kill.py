"""kill -9 at every write of a turn: nothing is lost, nothing happens twice."""

from __future__ import annotations

import json
import re
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
    folder: Path, fatal: int, kind: str, honest: str = "honest", crowd: tuple[int, int] = (1, 1)
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CHILD), str(folder), str(fatal), kind, honest, *map(str, crowd)],
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
    def words(self) -> list[str]:
        """Return what all texts together name, answers and what was said on the way."""
        texts = (json.loads(line)[1] for line in self._lines("received"))
        return sorted(word for text in texts for word in re.findall(r"#c\d+\.\d+", text))

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
        if outcome.answers == ["tool said ok to #c0.0"]:
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


@pytest.mark.parametrize("crowd", [(24, 1), (8, 4)], ids=["chats", "messages"])
def test_in_a_crowd(tmp_path: Path, crowd: tuple[int, int]) -> None:
    """Many turns are under way when the process is killed, in the midst of one of many writes."""
    chats, each = crowd
    said = sorted(f"#c{chat}.{number}" for chat in range(chats) for number in range(each))
    whole = tmp_path / "whole"
    whole.mkdir()
    writes = int(go(whole, 0, "dedupe", crowd=crowd).stdout)
    assert Outcome(whole).words == said
    for part in (0.2, 0.5, 0.8):
        folder = tmp_path / str(part)
        folder.mkdir()
        died = go(folder, int(writes * part), "dedupe", crowd=crowd)
        assert died.returncode == -9, died.stderr
        again = go(folder, 0, "dedupe", crowd=crowd)
        assert again.returncode == 0, again.stderr
        assert Outcome(folder).words == said, f"killed at {part} of {writes} writes"


def receipts(folder: Path) -> list[str]:
    import sqlite3

    with sqlite3.connect(folder / "data" / "state.db") as database:
        tables = [row[0] for row in database.execute("select name from sqlite_master")]
        assert "outbox" in tables
        return [row[0] for row in database.execute("select state from outbox")]


def test_the_detector_sees_a_loss(tmp_path: Path) -> None:
    """Negative control: a gateway that acknowledges before it stores loses the message."""
    lost = 0
    for fatal in range(13, 200, 3):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        if go(folder, fatal, "dedupe", "forgetful").returncode != -9:
            break
        assert go(folder, 0, "dedupe").returncode == 0
        lost += not Outcome(folder).answers
        if lost:
            return
    pytest.fail("acknowledging before storing went unnoticed")


def test_the_detector_sees_what_is_told_twice(tmp_path: Path) -> None:
    """Negative control: after a kill, a turn is told again to each message that had joined it."""
    crowd = (8, 4)
    for fatal in range(240, 310, 10):
        folder = tmp_path / str(fatal)
        folder.mkdir()
        if go(folder, fatal, "dedupe", crowd=crowd).returncode != -9:
            break
        assert go(folder, 0, "dedupe", "repeating", crowd).returncode == 0
        if len(Outcome(folder).words) > 8 * 4:
            return
    pytest.fail("answers that were told twice went unnoticed")
