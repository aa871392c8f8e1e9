"""What commands print fits the terminal, and has no colour where none is wanted."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys

import pytest
from nanobot_cli_admin import text


def test_cells_stand_below_each_other() -> None:
    rows = [("a", "bb"), ("ccc", "d"), (text.paint("ee", "red"), "f")]
    plain = [line.replace("\x1b[31m", "").replace("\x1b[0m", "") for line in text.aligned(rows)]
    assert plain == ["a    bb", "ccc  d", "ee   f"]


def test_no_colour_on_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b" in text.paint("x", "red")
    monkeypatch.setenv("NO_COLOR", "1")
    assert text.paint("x", "red") == "x"
    assert text.mark(True) == "✓" and text.mark(False) == "✗"


def test_what_a_stream_can_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    text.say("✓ fine \ud800")
    sys.stdout.flush()
    assert raw.getvalue() == b"? fine ?\n"


def test_pipes_get_whole_lines() -> None:
    assert text.wrapped("word " * 100, 2, first=0) == ("word " * 100).strip()


def test_terminals_get_lines_that_fit() -> None:
    ours, theirs = pty.openpty()
    code = (
        "from nanobot_cli_admin.text import listing, say, wrapped\n"
        "say(wrapped('word ' * 40, 4)); listing([('name', 'fact ' * 40)], indent=2)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        env={**os.environ, "COLUMNS": "40"},
        check=True,
    )
    os.close(theirs)
    output = os.read(ours, 100_000).decode()
    os.close(ours)
    lines = output.replace("\r", "").splitlines()
    assert done.returncode == 0 and len(lines) > 8
    assert all(len(line) <= 40 for line in lines)
    assert lines[0].startswith("    word") and lines[-1].startswith("        fact")
