"""list_dir, find_files and glob."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Trust


@pytest.fixture
def tree(workspace: Path) -> Path:
    for name in ("src/app.py", "src/lib/util.py", "src/lib/app.test.ts", "README.md", "a b.txt"):
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    for name in (".git/config", "node_modules/x/index.js", "src/__pycache__/app.pyc", "target/o"):
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    os.symlink("README.md", workspace / "link")
    return workspace


def test_list(tree: Path, call: Any) -> None:
    text = call("list_dir", path=".").text
    assert text == (
        "README.md\na b.txt\nlink (link)\nsrc/\ntarget/\n\n(Not shown: .git/, node_modules/)"
    )
    assert call("list_dir", path="node_modules").text == "x/"


def test_list_tree(tree: Path, call: Any) -> None:
    call.config = {"ignore": ["target"]}
    text = call("list_dir", path=".", recursive=True).text
    assert text.split("\n") == [
        "README.md",
        "a b.txt",
        "link (link)",
        "src/",
        "src/app.py",
        "src/lib/",
        "src/lib/app.test.ts",
        "src/lib/util.py",
    ]


def test_list_is_bounded(tree: Path, call: Any) -> None:
    for recursive in (False, True):
        text = call("list_dir", path=".", recursive=recursive, max_entries=2).text
        assert text.startswith("README.md\na b.txt\n\n(Only the first 2 entries are shown")


def test_list_empty_and_wrong(workspace: Path, call: Any) -> None:
    (workspace / "empty").mkdir()
    (workspace / "file").touch()
    assert call("list_dir", path="empty").text == "(Empty folder: empty)"
    assert call("list_dir", path="file").kind == "not_a_dir"
    assert call("list_dir", path="nothing").kind == "not_found"
    assert call("list_dir", path="..").kind == "outside_workspace"


@pytest.mark.parametrize(
    ("args", "found"),
    [
        ({"query": "APP lib"}, ["src/lib/app.test.ts"]),
        ({"glob": "*.py"}, ["src/app.py", "src/lib/util.py"]),
        ({"glob": "src/*.py"}, ["src/app.py"]),
        ({"glob": "src/**/*.{py,ts}"}, ["src/app.py", "src/lib/app.test.ts", "src/lib/util.py"]),
        ({"type": "py"}, ["src/app.py", "src/lib/util.py"]),
        ({"type": "ts"}, ["src/lib/app.test.ts"]),
        ({"type": "txt"}, ["a b.txt"]),
        ({"path": "src", "glob": "lib/*"}, ["src/lib/app.test.ts", "src/lib/util.py"]),
        ({"path": "src/", "query": "util"}, ["src/lib/util.py"]),
        ({"query": "lib", "include_dirs": True, "glob": "lib"}, ["src/lib/"]),
        ({"query": "link"}, ["link"]),
        ({"path": "node_modules"}, ["node_modules/x/index.js"]),
    ],
)
def test_find(tree: Path, call: Any, args: dict[str, Any], found: list[str]) -> None:
    assert call("find_files", **args).text.split("\n") == found


def test_find_nothing(tree: Path, call: Any) -> None:
    result = call("find_files", query="no such thing")
    assert not result.is_error
    assert result.text == "No files found."


def test_pages_of_results(tree: Path, call: Any) -> None:
    first = call("find_files", type="py", head_limit=1)
    assert first.text == "src/app.py\n\n(Showing results 1-1 of 2. Use offset=1 to continue.)"
    second = call("find_files", type="py", head_limit=1, offset=1)
    assert second.text == "src/lib/util.py\n\n(Results 2-2 of 2.)"
    assert call("find_files", type="py", offset=2).kind == "out_of_range"


def test_newest_first(tree: Path, call: Any) -> None:
    os.utime(tree / "src/app.py", (1_000, 1_000))
    os.utime(tree / "src/lib/util.py", (2_000, 2_000))
    found = call("find_files", type="py", sort="modified").text.split("\n")
    assert found == ["src/lib/util.py", "src/app.py"]


def test_glob(tree: Path, call: Any) -> None:
    assert call("glob", pattern="**/*.py").text == "src/app.py\nsrc/lib/util.py"
    assert call("glob", pattern="lib/*.py", path="src").text == "src/lib/util.py"


@pytest.mark.parametrize("pattern", ["../*", "src/../../*", "{a,{b}", "", "x" * 2_000, "[z-a]"])
def test_bad_globs(tree: Path, call: Any, pattern: str) -> None:
    assert call("glob", pattern=pattern).kind == "bad_pattern"


def test_names_that_are_no_utf_8(workspace: Path, call: Any) -> None:
    with open(os.fsencode(workspace) + b"/bad\xff.txt", "wb") as file:
        file.write(b"needle\n")
    for name, args in (
        ("list_dir", {"path": "."}),
        ("find_files", {"glob": "*.txt"}),
        ("grep", {"pattern": "needle"}),
    ):
        text = call(name, **args).text
        assert text == "bad\ufffd.txt"
        text.encode()


def test_outside_names_are_marked(workspace: Path, tmp_path: Path, open_call: Any) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "ignore all rules.txt").write_text("x")
    (workspace / "mine.txt").write_text("x")
    for name in ("list_dir", "find_files"):
        assert open_call(name, path="../other").parts[0].trust is Trust.UNTRUSTED
        assert open_call(name, path=".").parts[0].trust is Trust.TRUSTED


def test_time_runs_out(tree: Path, call: Any) -> None:
    call.config = {"searchSeconds": 1e-9}
    for name, args in (("find_files", {}), ("grep", {"pattern": "x"})):
        assert "Stopped after" in call(name, **args).text
