"""Hostile paths, races, and any text whatever, straight at the guard."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from nanobot.errors import ToolError
from nanobot_security import Disk

CORPORA = Path(__file__).parent / "corpora"
ESCAPES = json.loads((CORPORA / "path_escapes.json").read_text())
CANARY = ESCAPES["canary"]
ITERATIONS = 2000  # with either way of resolution


def _read(ws: Disk, given: dict[str, Any]) -> bytes:
    with ws.open_read(given["path"]) as file:
        return file.read(1 << 16)


def _search(ws: Disk, given: dict[str, Any]) -> bytes:
    return b"".join(file.read() for _, file in ws.walk(given["path"]) if file)


CALLS: dict[str, Callable[[Disk, dict[str, Any]], object]] = {
    "read_file": _read,
    "write_file": lambda ws, given: ws.write(given["path"], given["content"].encode()),
    "edit_file": lambda ws, given: ws.write(given["path"], _read(ws, given) + b"PWNED"),
    "list_dir": lambda ws, given: ws.list(given["path"]),
    "grep": _search,
    "apply_patch": lambda ws, given: [ws.write(e["path"], b"PWNED") for e in given["edits"]],
}
ITEMS = [item for item in ESCAPES["items"] if item["tool"] in CALLS and item["id"] != "path-086"]


def fill(root: Path, value: Any) -> Any:
    """Put the test's folder in place of ``{root}``."""
    return json.loads(json.dumps(value).replace("{root}", str(root)))


def outside(root: Path) -> dict[str, str]:
    """Return everything outside the workspace."""
    return {
        str(path): path.read_text() if path.is_file() else "folder"
        for path in sorted(root.rglob("*"))
        if not path.is_relative_to(root / "ws")
    }


def set_up(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("out/secret.txt", "ws-evil/secret.txt", "home/.nanobot/config.json"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CANARY)
    monkeypatch.setenv("HOME", str(root / "home"))


@pytest.mark.parametrize("item", ITEMS, ids=[item["id"] for item in ITEMS])
def test_path(item: dict[str, Any], root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    set_up(root, monkeypatch)
    for kind, *names in fill(root, item["setup"]):
        if kind == "file":
            Path(names[0]).parent.mkdir(exist_ok=True)
            Path(names[0]).write_text(names[1])
        elif kind == "fifo":
            os.mkfifo(names[0])
        else:
            (os.symlink if kind == "symlink" else os.link)(*names)
    before = outside(root)
    answer: object = None
    error = ""
    try:
        answer = CALLS[item["tool"]](Disk(root / "ws"), fill(root, item["input"]))
    except ToolError as refusal:
        error = refusal.kind
    assert CANARY not in str(answer)
    assert outside(root) == before
    if item["expected"] == "allow":
        assert not error
    elif item["class"] != "search":
        assert error


SWAPPER = """
import contextlib, os, select, shutil, sys
name, *states = sys.argv[1:]
def take_away():
    if os.path.islink(name) or not os.path.isdir(name):
        os.unlink(name)
    elif os.path.isdir(name + ".away"):
        shutil.rmtree(name)
    else:
        os.rename(name, name + ".away")
flips = 0
print("ready", flush=True)
while flips % 64 or not select.select([sys.stdin], [], [], 0)[0]:
    kind, _, value = states[flips % len(states)].partition(":")
    flips += 1
    with contextlib.suppress(OSError):
        take_away()
    with contextlib.suppress(OSError):
        if kind == "symlink":
            os.symlink(value, name)
        elif kind == "link":
            os.link(value, name)
        elif kind == "folder":
            os.rename(name + ".away", name)
        elif kind == "file":
            with open(name, "x") as file:
                file.write(value)
print(flips)
"""


@contextlib.contextmanager
def swapping(name: Path, *states: str) -> Iterator[list[int]]:
    """Flip a name between states in another process; put the number of flips in the list."""
    flips: list[int] = []
    command = [sys.executable, "-c", SWAPPER, str(name), *states]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        try:
            yield flips
        finally:
            out, _ = process.communicate()
            flips.append(int(out))


def attack(work: Callable[[], object]) -> list[object]:
    answers: list[object] = []
    for _ in range(ITERATIONS):
        try:
            answers.append(work())
        except ToolError as error:
            answers.append(error.kind)
    return answers


RACES: dict[str, tuple[str, tuple[str, ...], Callable[[Disk], object]]] = {
    "read": (
        "f",
        ("file:ok", "symlink:{out}/secret.txt"),
        lambda ws: _read(ws, {"path": "f"}),
    ),
    "read a hard link": (
        "f",
        ("file:ok", "link:{out}/secret.txt"),
        lambda ws: _read(ws, {"path": "f"}),
    ),
    "read below a folder": (
        "d",
        ("folder", "symlink:{out}"),
        lambda ws: _read(ws, {"path": "d/secret.txt"}),
    ),
    "write": ("w", ("absent", "symlink:{out}/created.txt"), lambda ws: ws.write("w", b"new")),
    "write over": (
        "w",
        ("file:old", "symlink:{out}/secret.txt"),
        lambda ws: ws.write("w", b"new"),
    ),
    "write below a folder": (
        "d",
        ("folder", "symlink:{out}"),
        lambda ws: ws.write("d/e/created.txt", b"new"),
    ),
    "remove": (
        "d",
        ("folder", "symlink:{out}"),
        lambda ws: ws.remove("d/secret.txt"),
    ),
    "walk": (
        "d",
        ("folder", "symlink:{out}"),
        lambda ws: [file.read() for _, file in ws.walk(".") if file],
    ),
}


@pytest.mark.parametrize("race", RACES)
def test_race(race: str, root: Path) -> None:
    name, states, work = RACES[race]
    (root / "ws" / "d.away").mkdir()
    (root / "ws" / "d.away" / "secret.txt").write_text("inside")
    before = outside(root)
    ws = Disk(root / "ws")
    filled = [state.replace("{out}", str(root / "out")) for state in states]
    with swapping(root / "ws" / name, *filled) as flips:
        answers = attack(lambda: work(ws))
    assert flips[0] > 1
    assert not [answer for answer in answers if "CANARY" in str(answer)]
    assert outside(root) == before


@pytest.mark.parametrize(
    ("name", "states", "path"),
    [
        ("f", ("file:ok", "symlink:{out}/secret.txt"), "f"),
        ("d", ("folder", "symlink:{out}"), "d/secret.txt"),
        ("f", ("file:ok", "link:{out}/secret.txt"), "f"),
    ],
    ids=["link", "folder", "hard link"],
)
def test_race_to_what_is_denied(name: str, states: tuple[str, ...], path: str, root: Path) -> None:
    (root / "ws" / "d.away").mkdir()
    (root / "ws" / "d.away" / "secret.txt").write_text("inside")
    ws = Disk(root / "ws", restricted=False, denied=(root / "out",))
    filled = [state.replace("{out}", str(root / "out")) for state in states]
    with swapping(root / "ws" / name, *filled) as flips:
        answers = attack(lambda: _read(ws, {"path": path}))
    assert flips[0] > 1
    assert b"CANARY" not in answers
    assert (root / "out/secret.txt").read_text() == "CANARY"


NAMES = "|..|.|/|~|ws|sub|out|secret.txt|link|up|here|etc|passwd|é| |\\|proc|self|cwd|*|{root}"
PIECES = st.sampled_from([*NAMES.split("|"), "\0", "\ud800"])
PATHS = st.one_of(st.text(max_size=40), st.lists(PIECES, max_size=9).map("/".join))


@settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(path=PATHS)
@example(path="sub/../../out/secret.txt")
@example(path="{root}/ws/up/out/secret.txt")
def test_no_text_leads_out(path: str, root: Path) -> None:
    home = root / "ws"
    for name, target in (("link", "../out"), ("up", str(root)), ("here", "sub/..")):
        if not os.path.lexists(home / name):
            os.symlink(target, home / name)
    before = outside(root)
    ws = Disk(home)
    text = path.replace("{root}", str(root))
    for work in (
        lambda: _read(ws, {"path": text}),
        lambda: ws.stat(text),
        lambda: [entry for entry in ws.list(text) if entry.path == "secret.txt"],
        lambda: ws.write(text, b"new"),
        lambda: ws.rename(text, "moved"),
        lambda: ws.remove(text),
    ):
        with contextlib.suppress(ToolError):
            assert "CANARY" not in str(work())
    assert outside(root) == before
