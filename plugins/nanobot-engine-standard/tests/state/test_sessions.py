"""Sessions stay parsed between turns, and whoever else writes to their files is noticed."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import SessionBusy, SessionVersion, StorageError
from nanobot.messages import Image, StopReason, Text, UserMessage, text_of
from nanobot_engine_standard import sessions as module
from nanobot_engine_standard.disk import DiskThreads
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.sessions import Sessions
from nanobot_engine_standard.transcript import Transcript, file_name
from nanobot_testing import run

KEY = "cli:direct"


@pytest.fixture
def disk() -> Iterator[DiskThreads]:
    made = DiskThreads()
    yield made
    made.close()


class Bench:
    """Some sessions and what is needed to use them."""

    def __init__(self, lab: Any, folder: Path, disk: DiskThreads) -> None:
        self.lab = lab
        self.folder = folder
        self.disk = disk
        self.sessions = self.another()

    def another(self) -> Sessions:
        """Return the sessions of another process."""
        return Sessions(self.folder, self.lab.clock, self.disk)

    async def say(self, text: str, *, key: str = KEY, sessions: Sessions | None = None) -> Session:
        """Run a turn without a model."""
        async with (sessions or self.sessions).open(key) as session:
            inbound = self.lab.inbound(text)
            session.begin(inbound.id, inbound, inbound.parts, "")
            session.answer(inbound.id, text.upper(), stop=StopReason.COMPLETED)
            session.end(inbound.id, StopReason.COMPLETED)
            await session.commit()
            return session

    async def read(self, *, key: str = KEY, sessions: Sessions | None = None) -> list[str]:
        """Return what the users said."""
        async with (sessions or self.sessions).open(key) as session:
            messages = session.history.messages()
            return [text_of(m.parts) for m in messages if isinstance(m, UserMessage)]


@pytest.fixture
def bench(lab: Any, tmp_path: Path, disk: DiskThreads) -> Bench:
    return Bench(lab, tmp_path / "sessions", disk)


def test_a_session_is_kept(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    async def go() -> None:
        first = await bench.say("one")
        monkeypatch.setattr("os.pread", _refused)
        assert await bench.say("two") is first, "and its file is not read again"
        assert await bench.read() == ["one", "two"]

    run(go())


def _refused(*arguments: Any) -> bytes:
    raise OSError(5, "Input/output error")


def test_a_kept_session_holds_no_lock_and_no_file(bench: Bench) -> None:
    before = len(os.listdir("/proc/self/fd"))
    run(bench.say("one"))
    assert len(os.listdir("/proc/self/fd")) <= before
    with Transcript(bench.folder, KEY):
        pass


async def _appended(bench: Bench) -> list[str]:
    await bench.say("theirs", sessions=bench.another())
    return ["one", "theirs"]


async def _replaced(bench: Bench) -> list[str]:
    path = bench.folder / file_name(KEY)
    other = Bench(bench.lab, bench.folder.parent / "other", bench.disk)
    await other.say("new")
    (other.folder / file_name(KEY)).replace(path)
    return ["new"]


async def _removed(bench: Bench) -> list[str]:
    (bench.folder / file_name(KEY)).unlink()
    return []


async def _truncated(bench: Bench) -> list[str]:
    os.truncate(bench.folder / file_name(KEY), 0)
    return []


async def _changed_in_place(bench: Bench) -> list[str]:
    path = bench.folder / file_name(KEY)
    stamp = path.stat().st_mtime_ns
    with path.open("r+b") as file:
        file.write(path.read_bytes().replace(b'"text":"one"', b'"text":"uno"'))
    os.utime(path, ns=(stamp + 10**9, stamp + 10**9))
    return ["uno"]


async def _changed_and_appended(bench: Bench) -> list[str]:
    """Lines that do not go on where the file ended: it is read from its beginning."""
    path = bench.folder / file_name(KEY)
    lines = path.read_bytes().splitlines(keepends=True)
    with path.open("ab") as file:
        file.writelines(lines[1:])
    return ["one"]


async def _torn(bench: Bench) -> list[str]:
    with (bench.folder / file_name(KEY)).open("ab") as file:
        file.write(b'{"type":"user","n":9,"tur')
    return ["one"]


@pytest.mark.parametrize(
    "meanwhile",
    [
        _appended,
        _replaced,
        _removed,
        _truncated,
        _changed_in_place,
        _changed_and_appended,
        _torn,
    ],
)
def test_what_others_did_to_the_file_is_seen(
    bench: Bench, meanwhile: Callable[[Bench], Awaitable[list[str]]]
) -> None:
    async def go() -> None:
        await bench.say("one")
        there = await meanwhile(bench)
        assert await bench.read() == there
        await bench.say("after")
        assert await bench.read() == [*there, "after"]
        assert await bench.read(sessions=bench.another()) == [*there, "after"]

    run(go())


def test_what_was_added_alone_is_read(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    async def go() -> None:
        for number in range(20):
            await bench.say(f"{number}")
        size = (bench.folder / file_name(KEY)).stat().st_size
        await bench.say("theirs", sessions=bench.another())
        real = os.pread
        monkeypatch.setattr("os.pread", lambda *a: (asked.append(a[2]), real(*a))[1])
        assert (await bench.read())[-1] == "theirs"
        assert asked == [size]

    run(go())


def test_two_processes_take_turns(bench: Bench) -> None:
    async def go() -> None:
        other = bench.another()
        for number in range(5):
            await bench.say(f"a{number}")
            await bench.say(f"b{number}", sessions=other)
        said = [f"{name}{number}" for number in range(5) for name in "ab"]
        assert await bench.read() == said
        assert await bench.read(sessions=other) == said

    run(go())


def test_a_newer_version_is_refused_in_a_kept_session_too(bench: Bench) -> None:
    async def go() -> None:
        await bench.say("one")
        with (bench.folder / file_name(KEY)).open("ab") as file:
            file.write(b'{"type":"session","v":99,"key":"cli:direct"}\n')
        for _ in range(2):
            with pytest.raises(SessionVersion):
                await bench.say("two")

    run(go())


# --- bounds ------------------------------------------------------------------------------------


def _kept(bench: Bench) -> list[str]:
    return list(bench.sessions._idle)


def test_the_number_of_kept_sessions_is_bounded(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_SESSIONS", 3)

    async def go() -> None:
        for key in ("a", "b", "c", "a", "d"):
            await bench.say("hi", key=key)
        assert _kept(bench) == ["c", "a", "d"], "the one that was used longest ago goes"
        assert await bench.read(key="b") == ["hi"]

    run(go())


def test_their_memory_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 100_000)

    async def go() -> None:
        for key in ("a", "b", "c"):
            await bench.say("x" * 20_000, key=key)
        assert _kept(bench) == ["b", "c"]
        await bench.say("x" * 200_000, key="huge")
        assert _kept(bench) == [], "one that is too big for all is not kept"
        assert (await bench.say("again", key="b")).history.count == 2

    run(go())


def test_pictures_are_not_kept_in_memory(bench: Bench, disk: DiskThreads) -> None:
    picture = Image(data=b"\x89PNG" * 1000, media_type="image/png", name="cat")

    async def go() -> None:
        async with bench.sessions.open(KEY) as session:
            inbound = bench.lab.inbound([picture, Text(text="look")])
            parts = await session.put_away(inbound.parts)
            session.begin(inbound.id, inbound, parts, "")
            (message,) = session.history.messages()
            assert message.parts[0].data == b""
            (shown,) = await session.fetch([message], [0])
            assert shown.parts == inbound.parts

    run(go())


# --- what goes wrong ---------------------------------------------------------------------------


def test_after_a_failed_write_the_file_is_what_counts(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    async def go() -> None:
        await bench.say("one")
        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", fail)
            with pytest.raises(StorageError, match="Input/output"):
                await bench.say("refused")
        assert not _kept(bench)
        await bench.say("two")
        assert (await bench.read())[-1] == "two"

    run(go())


def test_another_process_that_holds_a_session_is_waited_for(bench: Bench) -> None:
    async def go() -> None:
        async with bench.another().open(KEY):
            with pytest.raises(SessionBusy, match="another nanobot process"):
                await bench.say("two")
        assert 29 <= sum(bench.lab.clock.slept) <= 31
        bench.lab.clock.slept.clear()
        await bench.say("three")
        assert not bench.lab.clock.slept, "a free one is not waited for"

    run(go())


def test_turns_of_one_process_come_in_their_order(bench: Bench) -> None:
    async def go() -> None:
        names = [f"{number}" for number in range(20)]
        await asyncio.gather(*(bench.say(name) for name in names))
        assert await bench.read() == names and not bench.lab.clock.slept

    run(go())


def test_the_event_loop_does_not_wait_for_the_disk(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    real = os.fsync
    monkeypatch.setattr(
        "os.fsync", lambda fd: (threads.append(threading.current_thread()), real(fd))[1]
    )
    run(bench.say("one"))
    assert threads and threading.main_thread() not in threads


def test_a_long_transcript_is_read_beside_the_event_loop(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[threading.Thread] = []
    real = os.pread
    monkeypatch.setattr(
        "os.pread", lambda *a: (threads.append(threading.current_thread()), real(*a))[1]
    )

    async def go() -> None:
        await bench.say("x" * 100_000)
        await bench.read(sessions=bench.another())
        assert threads and threading.main_thread() not in threads

    run(go())


def test_a_turn_that_outlives_the_engine_is_still_stored(bench: Bench, disk: DiskThreads) -> None:
    async def go() -> None:
        async with bench.sessions.open(KEY) as session:
            disk.close()
            session.choose_preset("fast")
            await session.commit()
        async with bench.another().open(KEY) as session:
            assert session.history.preset == "fast"

    run(go())


def test_a_cancellation_waits_for_the_disk(disk: DiskThreads) -> None:
    """What is written to must not be closed beneath the writing."""
    begun, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait()
        done.set()

    async def go() -> None:
        task = asyncio.create_task(disk.run(work))
        while not begun.is_set():
            await asyncio.sleep(0)
        for _ in range(3):
            task.cancel()
            await asyncio.sleep(0)
        assert not task.done()
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert done.is_set()

    run(go())
