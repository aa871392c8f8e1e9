"""The output of sessions, which is kept in files of bounded size."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import re
import resource
import signal
import stat
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nanobot_testing import run
from nanobot_tool_exec import sessions
from nanobot_tool_exec.output import KEPT_BYTES, Capture, nameless_file

Files = Callable[[], list[os.stat_result]]
FULL = os.strerror(errno.ENOSPC)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return what this process holds open without a name below the test's folder."""

    def find() -> list[os.stat_result]:
        found = []
        for entry in Path("/proc/self/fd").iterdir():
            try:
                name = str(entry.readlink())
                if name.startswith(f"{tmp_path}/") and name.endswith("(deleted)"):
                    found.append(entry.stat())
            except FileNotFoundError:
                continue  # the listing itself
        return found

    return find


def session_id(text: str) -> str:
    found = re.search(r"session_id: (\S+)", text)
    assert found, text
    return found[1]


@settings(deadline=None)
@given(chunks=st.lists(st.binary(max_size=40)), keep=st.integers(1, 12))
def test_any_chunking_keeps_the_same_ends(chunks: list[bytes], keep: int) -> None:
    whole = b"".join(chunks)
    end = whole[max(keep, len(whole) - keep) :]
    with io.BytesIO() as file:
        capture = Capture(lambda: file, keep=keep)
        for chunk in chunks:
            capture.feed(chunk)
        assert len(file.getvalue()) == min(len(whole), 2 * keep)
        assert capture.dropped == len(whole) - len(whole[:keep]) - len(end)
        parts = [whole[:keep], end] if capture.dropped else [whole]
        assert capture.text == "".join(part.decode(errors="replace") for part in parts)
        for found in (whole[:keep], end):
            assert not whole or found in capture


@settings(deadline=None)
@given(polls=st.lists(st.lists(st.binary(max_size=9), max_size=3)))
def test_what_was_read_in_parts_is_the_whole(
    polls: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("spool")
    capture = Capture(partial(nameless_file, folder), keep=16)
    for chunks in polls:
        for chunk in chunks:
            capture.feed(chunk)
        assert capture.text == b"".join(chunks).decode(errors="replace")
        capture.clear()
        assert capture.text == ""
    assert list(folder.iterdir()) == []


def test_what_is_not_side_by_side_is_not_found() -> None:
    capture = Capture(keep=2)
    capture.feed(b"ab-cd")
    assert b"ab" in capture and b"cd" in capture
    assert b"bc" not in capture and b"abcd" not in capture


def test_a_session_of_any_length_costs_bounded_memory_and_disk(
    opened: Any, workspace: Path, files: Files, tmp_path: Path
) -> None:
    async def go() -> None:
        async with opened() as call:
            command = "echo FIRST; yes | head -c 200M; echo LAST; cat"
            started = await call("exec", command=command, yield_time_ms=0)
            one = session_id(started.text)
            tracemalloc.start()
            try:
                told = await call(
                    "write_stdin", session_id=one, wait_for="LAST", wait_timeout_ms=120_000
                )
                peak = tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()
            assert "LAST\nProcess running." in told.text
            left_out = re.search(r"about (\d+) characters left out", told.text)
            assert left_out and int(left_out[1]) > 200 * 2**20 - 20_000 - 4 * 2**20
            assert peak < 5_000_000
            assert files() == [], "what was told is not kept"

    run(go())
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.fixture
def start_unread(opened: Any, workspace: Path) -> Any:
    """Return a function that starts a session which prints after the call that started it.

    What it printed is kept, or in the pipe, when the function returns.
    """

    async def start(call: Any, command: str, end: str = "") -> str:
        for name in ("gate", "done"):
            (workspace / name).unlink(missing_ok=True)
            os.mkfifo(workspace / name)
        whole = f"read -r go < gate; {command}; echo over > done; {end}"
        started = await call("exec", command=whole, yield_time_ms=0)
        await asyncio.to_thread((workspace / "gate").write_text, "go\n")
        assert await asyncio.to_thread((workspace / "done").read_text) == "over\n"
        return session_id(started.text)

    return start


def test_what_nobody_has_read_is_in_a_private_file_of_bounded_size(
    opened: Any, start_unread: Any, files: Files, tmp_path: Path
) -> None:
    async def go() -> None:
        async with opened() as call:
            one = await start_unread(call, "echo FIRST; seq 1 1000000; echo LAST")
            (file,) = files()
            assert file.st_size == 2 * KEPT_BYTES
            assert stat.S_IMODE(file.st_mode) == 0o600 and not file.st_nlink
            data = tmp_path / "data" / "exec"
            assert stat.S_IMODE(data.stat().st_mode) == 0o700 and list(data.iterdir()) == []
            told = await call("write_stdin", session_id=one, yield_time_ms=30_000)
            assert told.text.startswith("FIRST\n1\n2\n") and "left out" in told.text
            assert "\n1000000\nLAST\nExit code: 0" in told.text
            assert files() == []

    run(go())


def test_a_terminated_session_tells_its_last_words(
    opened: Any, start_unread: Any, files: Files
) -> None:
    async def go() -> None:
        async with opened() as call:
            one = await start_unread(call, "echo up", "exec sleep 1000")
            told = await call("write_stdin", session_id=one, terminate=True)
            assert told.text.startswith("up\nThe command was ended")
            assert files() == []

    run(go())


def test_no_file_outlives_the_tool(opened: Any, start_unread: Any, files: Files) -> None:
    async def go() -> None:
        async with opened() as call:
            for _ in range(2):
                await start_unread(call, "seq 1 50000", "exec sleep 1000")
            assert len(files()) == 2
        assert files() == []

    run(go())


def test_a_forgotten_session_frees_its_file(opened: Any, start_unread: Any, files: Files) -> None:
    async def go() -> None:
        async with opened() as call:
            await start_unread(call, "seq 1 50000")
            for _ in range(sessions.LIMIT - 1):
                other = await call("exec", command="cat", yield_time_ms=0)
            while "ended" not in (await call("list_exec_sessions")).text:
                await call("write_stdin", session_id=session_id(other.text), yield_time_ms=10)
            assert len(files()) == 1
            await call("exec", command="cat", yield_time_ms=0)
            assert files() == []

    run(go())


HOST = """
import os, sys
from functools import partial
from pathlib import Path
from nanobot_tool_exec.output import Capture, nameless_file

capture = Capture(partial(nameless_file, Path(sys.argv[1])))
capture.feed(b"x" * 300_000)
print(os.fstat(capture._file.fileno()).st_size, flush=True)
sys.stdin.read()
"""


def test_a_killed_process_leaves_nothing(tmp_path: Path) -> None:
    host = subprocess.Popen(
        [sys.executable, "-c", HOST, str(tmp_path / "own")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with host:
        assert host.stdout
        assert int(host.stdout.readline()) == 2 * KEPT_BYTES
        host.send_signal(signal.SIGKILL)
    assert list((tmp_path / "own").iterdir()) == []


def test_a_write_that_the_system_cuts_short_loses_the_rest(tmp_path: Path) -> None:
    capture = Capture(partial(nameless_file, tmp_path))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    try:
        for _ in range(3):
            capture.feed(b"x" * 600)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    capture.feed(b"y")
    reason = os.strerror(errno.EFBIG)
    assert capture.text == "x" * 1_000 + f"\n[... 801 bytes of output were lost: {reason} ...]"
    capture.clear()
    capture.feed(b"z")
    assert capture.text == "z", "later output is kept again"
    capture.clear()


class SmallDisk:
    """Makes files that hold so many bytes, until it gets larger."""

    def __init__(self, room: int) -> None:
        self.room = room

    def open(self, folder: Path) -> BinaryIO:
        if not self.room:
            raise OSError(errno.ENOSPC, FULL)
        disk = self

        class File(io.BytesIO):
            def write(self, data: Any, /) -> int:
                room = disk.room - self.tell()
                if room <= 0:
                    raise OSError(errno.ENOSPC, FULL)
                return super().write(data[:room])

        return File()


@pytest.mark.parametrize("room", [0, 5])
def test_a_full_disk_loses_output_and_nothing_else(
    opened: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    disk = SmallDisk(room)
    monkeypatch.setattr(sessions, "nameless_file", disk.open)

    async def go() -> None:
        async with opened() as call:
            command = "seq 1 100000; touch done; read -r line; echo kept; exit 3"
            one = session_id((await call("exec", command="read; " + command, yield_time_ms=0)).text)
            told = await call("write_stdin", session_id=one, chars="\n", yield_time_ms=0)
            output = told.text
            while not (workspace / "done").exists():
                output += (await call("write_stdin", session_id=one, yield_time_ms=10)).text
            output += (await call("write_stdin", session_id=one, yield_time_ms=0)).text
            assert re.search(rf"\[\.\.\. \d+ bytes of output were lost: {FULL} \.\.\.\]", output)
            assert ("1\n2\n3" in output) is bool(room)
            disk.room = 1_000
            last = await call("write_stdin", session_id=one, chars="\n", yield_time_ms=30_000)
            assert last.text.startswith("kept\nExit code: 3\n")

    run(go())
