"""What the store's tests share."""

from __future__ import annotations

import asyncio
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from nanobot.log import Logger
from nanobot_gateway.store import InboxRow, OutboxRow
from nanobot_store_sqlite.store import SqliteStore, open_store
from nanobot_testing.host import load_spec, make_context

Opened = Callable[..., AbstractAsyncContextManager[SqliteStore]]


class Recorder(Logger):
    """A logger that remembers."""

    __slots__ = ("records",)

    def __init__(self) -> None:
        super().__init__({})
        self.records: list[tuple[str, str, dict[str, Any]]] = []

    def _write(self, level: str, event: str, values: Any) -> None:
        self.records.append((level, event, dict(values)))

    def at(self, level: str) -> list[str]:
        return [event for found, event, _ in self.records if found == level]


@dataclass
class HandClock:
    """A clock that is moved by hand; who sleeps wakes up once it has moved far enough."""

    wall: datetime = datetime(2026, 3, 1, tzinfo=UTC)
    seconds: float = 1000.0
    asleep: list[float] = field(default_factory=list)
    slept: asyncio.Event = field(default_factory=asyncio.Event)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def now(self) -> datetime:
        return self.wall

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        self.asleep.append(seconds)
        self.slept.set()
        due = self.seconds + seconds
        while self.seconds < due:
            await self.moved.wait()
            self.moved.clear()

    def passes(self, **span: float) -> None:
        self.wall += timedelta(**span)
        self.seconds += timedelta(**span).total_seconds()
        self.moved.set()

    async def until_slept(self, **span: float) -> None:
        """Let some time pass, and wait until the store has done its upkeep."""
        self.slept.clear()
        self.passes(**span)
        await self.slept.wait()


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def hand_clock() -> type[HandClock]:
    return HandClock


@pytest.fixture
def opened(tmp_path: Path, recorder: Recorder) -> Opened:
    """Return a function that opens the store in a folder; keyword arguments are settings."""

    @asynccontextmanager
    async def go(
        folder: Path = tmp_path, *, clock: Any = None, **config: Any
    ) -> AsyncIterator[SqliteStore]:
        spec = load_spec("stores.sqlite")
        context = replace(make_context(spec, folder, plugin="stores.sqlite"), log=recorder)
        if clock is not None:
            context = replace(context, clock=clock)
        async with open_store(spec.config.model_validate(config), context) as store:
            yield store

    return go


@pytest.fixture
def message() -> Callable[..., InboxRow]:
    def make(n: int, *, key: str = "", size: int = 20) -> InboxRow:
        payload = b"%d " % n + b"x" * size
        return InboxRow(id=f"in-{n}", key=key or f"key-{n}", session_key="s", payload=payload)

    return make


@pytest.fixture
def reply() -> Callable[[int], OutboxRow]:
    return lambda n: OutboxRow(id=f"out-{n}", lane="test/default", payload=b"[%d]" % n)


class SmallDisk(Protocol):
    """A folder in which space can run out."""

    folder: Path
    says: str

    def fill(self, most: int = ...) -> None: ...
    def free(self) -> None: ...


class Mounted:
    """A file system of four megabytes."""

    says = "is full"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ballast = folder / "ballast"

    def fill(self, most: int = 0) -> None:
        with self._ballast.open("ab", buffering=0) as file:
            try:
                while file.write(bytes(4096)):
                    pass
            except OSError:
                return

    def free(self) -> None:
        self._ballast.unlink()


class Limited:
    """A folder of a process that may make only make short files for a while."""

    says = "reports an error"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(self, most: int = 40 * 1024) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, self._before[1]))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self._before)


def mount(folder: Path, options: str) -> bool:
    """Mount a file system in memory, where this process may."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(params=["mounted", "limited"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SmallDisk]:
    """Give a disk that is really small, or where that is not allowed a limit on files."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if request.param == "mounted" and mount(folder, "size=4m,mode=700"):
        yield Mounted(folder)
        subprocess.run(["umount", str(folder)], check=True)
    else:
        limited = Limited(folder)
        yield limited
        limited.free()


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder that can not be written to."""
    folder = tmp_path / "read-only"
    folder.mkdir()
    if mount(folder, "ro"):
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
        return
    real = os.open

    def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT and str(path).startswith(str(folder)):
            raise OSError(30, "Read-only file system", str(path))
        return real(path, flags, *rest, **named)

    monkeypatch.setattr(os, "open", refuse)
    yield folder
