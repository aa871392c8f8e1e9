"""Hostile paths and races, through the real tools."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing import load_spec

CORPORA = Path(__file__).parent / "corpora"
ESCAPES = json.loads((CORPORA / "path_escapes.json").read_text())
RACES = json.loads((CORPORA / "path_races.json").read_text())["items"]
CANARY = ESCAPES["canary"]
TOOLS = {definition.name for definition in load_spec("tools.files").tools}
ITEMS = [item for item in ESCAPES["items"] if item["tool"] in TOOLS]
ITERATIONS = 4000


def fill(root: Path, value: Any) -> Any:
    """Put the test's folder in place of ``{root}``."""
    if isinstance(value, str):
        return value.replace("{root}", str(root))
    if isinstance(value, dict):
        return {key: fill(root, item) for key, item in value.items()}
    return [fill(root, item) for item in value] if isinstance(value, list) else value


def tree(root: Path) -> dict[str, str]:
    """Return everything outside the workspace, with its content."""
    found = {}
    for path in sorted(root.rglob("*")):
        if path.is_relative_to(root / "ws") or path.is_relative_to(root / "data"):
            continue
        content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        found[str(path)] = content
    return found


@pytest.fixture
def root(tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workspace / "sub").mkdir()
    for name in ("out/secret.txt", "ws-evil/secret.txt", "home/.nanobot/config.json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True)
        path.write_text(f"{CANARY}\n")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def set_up(root: Path, step: list[str]) -> None:
    kind, *names = fill(root, step)
    Path(names[-1] if kind != "file" else names[0]).parent.mkdir(parents=True, exist_ok=True)
    if kind == "symlink":
        os.symlink(names[0], names[1])
    elif kind == "hardlink":
        os.link(names[0], names[1])
    elif kind == "fifo":
        os.mkfifo(names[0])
    else:
        assert kind == "file"
        Path(names[0]).write_text(names[1])


@pytest.mark.parametrize("item", ITEMS, ids=[item["id"] for item in ITEMS])
def test_path(item: dict[str, Any], root: Path, call: Any) -> None:
    for step in item["setup"]:
        set_up(root, step)
    before = tree(root)
    result = call(item["tool"], **fill(root, item["input"]))
    assert CANARY not in result.text
    assert tree(root) == before
    if item["expected"] == "allow":
        assert not result.is_error, result.text
    elif item["class"] in ("read", "write", "edit", "list", "hardlink", "special", "symlink"):
        assert result.is_error
    elif item["id"] == "path-086":  # a linear engine needs no deadline here: nothing ends in "a"
        assert result.text == "No matches found."


SWAPPER = """
import contextlib, os, select, sys
name, *states = sys.argv[1:]
flips = 0
print("ready", flush=True)
while flips % 64 or not select.select([sys.stdin], [], [], 0)[0]:
    kind, _, value = states[flips % len(states)].partition(":")
    flips += 1
    with contextlib.suppress(FileNotFoundError):
        os.unlink(name)
    with contextlib.suppress(FileExistsError):
        if kind == "symlink":
            os.symlink(value, name)
        elif kind == "file":
            with open(name, "x") as file:
                file.write(value)
print(flips)
"""


class Swapper:
    """Flips a name between states in a process of its own, truly at the same time."""

    def __init__(self, name: str, states: list[str]) -> None:
        self._command = [sys.executable, "-c", SWAPPER, name, *states]
        self.flips = 0

    def __enter__(self) -> Swapper:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(self._command, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *error: object) -> None:
        out, _ = self._process.communicate()
        self.flips = int(out)


EDIT_RACE = {
    "id": "race-edit",
    "input": {
        "swap": ["{root}/ws/e", "file:CANARY inside", "symlink:{root}/out/secret.txt"],
        "tool": "edit_file",
        "path": "e",
    },
}
PATCH_RACE = {
    "id": "race-patch",
    "input": {
        "swap": ["{root}/ws/e", "file:inside", "symlink:{root}/out/secret.txt"],
        "tool": "apply_patch",
        "path": "e",
    },
}
EXTRA: dict[str, dict[str, Any]] = {
    "write_file": {"content": "new"},
    "edit_file": {"old_text": "CANARY", "new_text": "PWN"},
    "apply_patch": {
        "edits": [
            {"path": "e", "action": "add", "new_text": "PWN"},
        ]
    },
}


@pytest.mark.parametrize("item", [*RACES, EDIT_RACE, PATCH_RACE], ids=lambda item: item["id"])
def test_race(item: dict[str, Any], root: Path, call: Any) -> None:
    given = fill(root, item["input"])
    arguments = {"path": given["path"], **EXTRA.get(given["tool"], {})}
    if given["tool"] == "apply_patch":
        del arguments["path"]
    before = tree(root)
    name, *states = given["swap"]
    with Swapper(name, states) as swapper:
        results = call.many(*[(given["tool"], arguments)] * ITERATIONS)
    assert swapper.flips > 1
    assert not [result for result in results if CANARY in result.text]
    assert tree(root) == before
    assert any(result.is_error for result in results), "the refused state was never met"
