"""grep."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from nanobot.messages import Trust
from nanobot_security import Disk, Entry
from nanobot_testing import load_spec, open_spec, run


@pytest.fixture(params=["own", "ripgrep"])
def call(request: pytest.FixtureRequest, call: Any) -> Any:
    """Run everything twice: by the walk alone, and with ripgrep."""
    if request.param == "ripgrep":
        request.getfixturevalue("ripgrep")
    call.config = {"useRipgrep": request.param == "ripgrep"}
    call.ripgrep = request.param == "ripgrep"
    return call


@pytest.fixture
def tree(workspace: Path) -> Path:
    (workspace / "src").mkdir()
    (workspace / "src" / "a.py").write_text("import os\n\ndef main():\n    os.exit(1)\n")
    (workspace / "src" / "b.ts").write_text("export function main() {}\n// os\n")
    (workspace / "notes.md").write_text("The Main thing\r\nis os.\r\n")
    (workspace / "bin.dat").write_bytes(b"os\0os\n")
    (workspace / "node_modules").mkdir()
    (workspace / "node_modules" / "os.js").write_text("os\n")
    return workspace


def test_paths_by_default(tree: Path, call: Any) -> None:
    assert call("grep", pattern="os").text == (
        "notes.md\nsrc/a.py\nsrc/b.ts\n\n(Files left out: 1 binary.)"
    )


def test_lines(tree: Path, call: Any) -> None:
    text = call("grep", pattern=r"\bos\b", output_mode="content", glob="*.{py,md}").text
    assert text == "notes.md:2: is os.\nsrc/a.py:1: import os\nsrc/a.py:4:     os.exit(1)"


def test_counts(tree: Path, call: Any) -> None:
    text = call("grep", pattern="os", output_mode="count", type="py").text
    assert text == "src/a.py: 2"


def test_one_file(tree: Path, call: Any) -> None:
    args = {"pattern": "os", "path": "src/a.py"}
    assert call("grep", **args).text == "src/a.py"
    assert call("grep", **args, output_mode="content").text == "1: import os\n4:     os.exit(1)"
    assert call("grep", **args, output_mode="count").text == "src/a.py: 2"
    assert call("grep", pattern="os", path="bin.dat").kind == "binary"
    assert call("grep", pattern="os", path="missing").kind == "not_found"


def test_case_and_plain_text(tree: Path, call: Any) -> None:
    assert call("grep", pattern="MAIN", path="src").text == "No matches found."
    assert call("grep", pattern="MAIN", path="src", case_insensitive=True).text == (
        "src/a.py\nsrc/b.ts"
    )
    assert call("grep", pattern="main()", fixed_strings=True).text.startswith("src/a.py\nsrc/b.ts")
    assert call("grep", pattern="ä", fixed_strings=True).text.startswith("No matches found.")


@pytest.mark.parametrize("pattern", ["", "(", "a{2000}", r"(a)\1", "(?=a)", "\ud800", "x" * 20_000])
def test_bad_patterns(tree: Path, call: Any, pattern: str) -> None:
    result = call("grep", pattern=pattern)
    assert result.kind == "bad_pattern"
    result.text.encode()


@pytest.mark.parametrize(
    ("pattern", "lines"),
    [
        ("^$", ["3: "]),
        ("b$", ["2: ab"]),
        ("^", ["1: a", "2: ab", "3: ", "4: c"]),
        (r"a\s+ab", []),
        ("[^x]+b", ["2: ab"]),
        (r"(?s)a.*c", []),
        ("x*", ["1: a", "2: ab", "3: ", "4: c"]),
    ],
)
def test_a_match_is_within_a_line(
    workspace: Path, call: Any, pattern: str, lines: list[str]
) -> None:
    for ending in ("\n", "\r\n"):
        (workspace / "f.txt").write_bytes(ending.join(["a", "ab", "", "c", ""]).encode())
        text = call("grep", pattern=pattern, path="f.txt", output_mode="content").text
        assert text == ("\n".join(lines) or "No matches found.")


def test_context(workspace: Path, call: Any) -> None:
    (workspace / "f.txt").write_text("".join(f"{n}\n" for n in range(1, 31)))
    args = {"path": "f.txt", "output_mode": "content", "context_before": 2, "context_after": 1}
    assert call("grep", pattern="^(1|4|20|21|30)$", **args).text.split("\n") == [
        *("1: 1", "2- 2", "3- 3", "4: 4", "5- 5"),
        *("--", "18- 18", "19- 19", "20: 20", "21: 21", "22- 22"),
        *("--", "28- 28", "29- 29", "30: 30"),
    ]


def test_context_over_large_files(workspace: Path, call: Any) -> None:
    """Lines around a match may lie in another piece of the file."""
    lines = [f"{n} {'x' * 60}" for n in range(20_000)]
    (workspace / "f.txt").write_text("\n".join(lines))
    args = {"path": "f.txt", "output_mode": "content", "context_before": 3, "context_after": 3}
    for wanted in range(3_900, 4_400, 7):
        text = call("grep", pattern=f"^{wanted} ", **args).text
        assert [
            int(line.split("- ")[-1].split(": ")[-1].split()[0]) for line in text.split("\n")
        ] == [*range(wanted - 3, wanted + 4)]


def test_pages(tree: Path, call: Any) -> None:
    args: dict[str, Any] = {"pattern": "os", "path": "src", "output_mode": "content"}
    first = call("grep", **args, head_limit=2)
    assert first.text == (
        "src/a.py:1: import os\nsrc/a.py:4:     os.exit(1)\n\n"
        "(Showing results 1-2 of 3. Use offset=2 to continue.)"
    )
    assert call("grep", **args, max_matches=2) == first
    second = call("grep", **args, head_limit=2, offset=2)
    assert second.text == "src/b.ts:2: // os\n\n(Results 3-3 of 3.)"
    assert call("grep", **args, offset=3).kind == "out_of_range"
    assert call("grep", pattern="os", max_results=1).text.startswith("notes.md\n\n(Showing results")


def test_size_limits(workspace: Path, call: Any) -> None:
    (workspace / "big.txt").write_text("needle\n" + "x" * 79 + "\n" * (2 << 20))
    (workspace / "other.txt").write_text("x" * (3 << 20))
    left_out = 1 if call.ripgrep else 2  # it names only those that match
    assert call("grep", pattern="needle").text == (
        f"No matches found.\n(Files left out: {left_out} larger than 2 MB.)"
    )
    assert call("grep", pattern="needle", path="big.txt").text == "big.txt"
    with (workspace / "huge.txt").open("wb") as file:
        file.truncate(5 << 30)
    assert call("grep", pattern="needle", path="huge.txt").kind == "too_large"


def test_output_is_bounded(workspace: Path, call: Any) -> None:
    (workspace / "f.txt").write_text(f"{'x' * 50_000}\n" * 400)
    args = {"pattern": "x", "path": "f.txt", "output_mode": "content", "head_limit": 0}
    text = call("grep", **args).text
    assert len(text) < 130_000
    assert "(line is cut)" in text
    assert "of 400. Use offset=" in text


def test_many_results_end_the_search(workspace: Path, call: Any) -> None:
    for name in ("a.txt", "b.txt"):
        (workspace / name).write_text("x\n" * 20_000)
    text = call("grep", pattern="x", output_mode="content").text
    assert "(Showing results 1-250 of more than 20000. Use offset=250 to continue.)" in text


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+$", "(a|a)*b", "(a*)*c", r"^(([a-z])+.)+[A-Z]([a-z])+$", "(.*a){20}", "(a?){40}a{40}!!"],
)
def test_patterns_that_explode_elsewhere(workspace: Path, call: Any, pattern: str) -> None:
    (workspace / "f.txt").write_text("a" * 5_000 + "!\n")
    assert call("grep", pattern=pattern, path="f.txt").text in ("f.txt", "No matches found.")


def test_a_pattern_that_is_slow_all_the_same(workspace: Path, call: Any) -> None:
    (workspace / "f.txt").write_text("abcdefgh ijkl mnop\n" * 100_000)
    pattern = "(?:.?){900}" * 4 + "z"
    result = call("grep", pattern=pattern, path="f.txt")
    assert result.kind == "timeout"
    if not call.ripgrep:
        assert "too slow" in call("grep", pattern=pattern).text


def test_invalid_utf_8_is_searched(workspace: Path, call: Any) -> None:
    (workspace / "f.txt").write_bytes(b"\xff\xfe needle \x80\n")
    text = call("grep", pattern="needle", output_mode="content").text
    assert text.startswith("f.txt:1: \ufffd\ufffd needle")


def test_outside_is_marked(workspace: Path, tmp_path: Path, open_call: Any) -> None:
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "f.txt").write_text("x")
    (workspace / "f.txt").write_text("x")
    marks = [
        open_call("grep", pattern="x", path=path).parts[0].trust
        for path in ("../o", "../o/f.txt", ".", "f.txt")
    ]
    assert marks == [Trust.UNTRUSTED, Trust.UNTRUSTED, Trust.TRUSTED, Trust.TRUSTED]


class EndlessDisk(Disk):
    """A disk whose walk never ends by itself."""

    started = threading.Event()
    ended = threading.Event()

    def walk(
        self,
        path: str,
        *,
        contents: bool = True,
        prune: Callable[[Entry], bool] | None = None,
    ) -> Iterator[tuple[Entry, BinaryIO | None]]:
        assert prune is not None
        self.started.set()
        try:
            while True:
                prune(Entry(path="x", kind="file", size=1, mtime=0.0))
        finally:
            self.ended.set()


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("grep", {"pattern": "x"}),
        ("find_files", {}),
        ("list_dir", {"path": ".", "recursive": True}),
    ],
)
def test_a_cancelled_search_leaves_its_thread(
    name: str,
    args: dict[str, Any],
    workspace: Path,
    tmp_path: Path,
    call: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    endless = EndlessDisk(workspace)
    endless.started = threading.Event()
    endless.ended = threading.Event()
    monkeypatch.setattr(Disk, "of", lambda workspace: endless)

    async def work() -> None:
        async with open_spec(load_spec("tools.files"), {"useRipgrep": False}, tmp_path) as tool:
            task = asyncio.ensure_future(call.once(tool, name, args, call.turn))
            assert await asyncio.to_thread(endless.started.wait, 10)
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled()
            assert await asyncio.to_thread(endless.ended.wait, 10)

    run(work())


def test_a_cancelled_search_ends_ripgrep(
    workspace: Path, tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, started = tmp_path / "bin" / "rg", tmp_path / "started"
    program.parent.mkdir()
    os.mkfifo(started)
    program.write_text(f"#!/bin/sh\necho $$ > {started}\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    async def work() -> int:
        async with open_spec(load_spec("tools.files"), {}, tmp_path) as tool:
            task = asyncio.ensure_future(call.once(tool, "grep", {"pattern": "x"}, call.turn))
            pid = int(await asyncio.to_thread(started.read_text))
            ended = os.pidfd_open(pid)
            task.cancel()
            await asyncio.wait([task])
            assert await asyncio.to_thread(select.select, [ended], [], [], 10) == ([ended], [], [])
            os.close(ended)
            return pid

    assert run(work()) > 1


def test_what_ripgrep_found_in_time_is_shown(
    tree: Path, tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "rg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nprintf './src/a.py\\0./src/none.py\\0'\nexec sleep 1000\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    call.config = {"searchSeconds": 2}
    text = call("grep", pattern="main").text
    assert text.startswith("src/a.py\n")
    assert "(Stopped after 2 seconds; there may be more." in text


def test_ripgrep_that_fails_is_done_without(
    tree: Path, tmp_path: Path, call: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "bin" / "rg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho broken >&2\nexit 2\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    assert call("grep", pattern="main", path="src").text == "src/a.py\nsrc/b.ts"


def test_what_is_denied_or_foreign_is_not_found(workspace: Path, tmp_path: Path, call: Any) -> None:
    (workspace / "sessions").mkdir()
    (workspace / "odd [name]").mkdir()
    (tmp_path / "out").mkdir()
    for path in ("ws/sessions/s.txt", "ws/odd [name]/s.txt", "ws/.hidden", "out/o.txt"):
        (tmp_path / path).write_text("needle\n")
    os.symlink(tmp_path / "out", workspace / "link")
    os.symlink(tmp_path / "out/o.txt", workspace / "link.txt")
    os.link(tmp_path / "out/o.txt", workspace / "hard.txt")
    denied = (workspace / "sessions", workspace / "odd [name]", tmp_path)
    space = replace(call.turn.workspace, denied=denied)
    call.turn = replace(call.turn, workspace=space)
    assert call("grep", pattern="needle").text == (
        ".hidden\n\n(Files left out: 1 that may not be read (permissions, or several hard links).)"
    )


PIECES = st.sampled_from(
    [
        *"ab1é_ .*+?|()[]^$-",
        r"\b",
        r"\w",
        r"\W",
        r"\s",
        r"\S",
        r"\d",
        r"\D",
        r"\.",
        "(?i)",
        "[^a]",
        "K",
    ]
)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    pattern=st.lists(PIECES, min_size=1, max_size=6).map("".join),
    lines=st.lists(st.text(alphabet="abé1_ .-Kk\u212a\r\t", max_size=8), max_size=4),
    ignore_case=st.booleans(),
)
def test_ripgrep_misses_nothing(
    pattern: str,
    lines: list[str],
    ignore_case: bool,
    workspace: Path,
    open_call: Any,
    ripgrep: str,
) -> None:
    (workspace / "f.txt").write_bytes("\n".join(lines).encode())
    arguments = {"pattern": pattern, "case_insensitive": ignore_case, "output_mode": "content"}
    answers = []
    for use in (True, False):
        open_call.config = {"useRipgrep": use}
        answers.append(open_call("grep", **arguments))
    assert answers[0] == answers[1]
