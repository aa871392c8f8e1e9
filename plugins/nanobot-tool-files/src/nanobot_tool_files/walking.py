"""What listing, finding and searching share: limits, names to leave out, and pages of results."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import BinaryIO

from nanobot.errors import ToolError
from nanobot.messages import Trust
from nanobot_security import Disk, Entry

_NAMES = """
    .cache .eggs .git .hg .hypothesis .mypy_cache .next .nox .nuxt .pytest_cache .ruff_cache .svn
    .tox .turbo .venv __pycache__ build dist htmlcov node_modules venv
"""
IGNORED = frozenset(_NAMES.split())
MAX_CHARS = 128_000

Stop = Callable[[], bool]
"""Tells whether the call was cancelled."""


class Cancelled(Exception):
    """End the thread of a call that nobody waits for any more."""


def check(stop: Stop) -> None:
    """End the work if the call was cancelled."""
    if stop():
        raise Cancelled


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What holds for every walk.

    Args:
        ignore: Folder names to leave out beside the usual ones.
        seconds: Longest time for one walk.
    """

    ignore: frozenset[str]
    seconds: float

    def ignores(self, entry: Entry) -> bool:
        """Tell whether to leave out an entry, with all that is in it."""
        if entry.kind != "dir":
            return False
        name = entry.path.rpartition("/")[2]
        return name in IGNORED or name in self.ignore or name.endswith(".egg-info")


class Walk:
    """A walk that ends in time.

    Args:
        disk: Where.
        folder: The folder to start from.
        limits: What to leave out, and how long it may take.
        stop: Tells whether the call was cancelled.

    Attributes:
        late: True when time ran out before the end.
    """

    def __init__(self, disk: Disk, folder: str, limits: Limits, stop: Stop) -> None:
        self._disk = disk
        self._folder = folder
        self._limits = limits
        self._stop = stop
        self._end = monotonic() + limits.seconds
        self.late = False

    def entries(
        self, *, contents: bool = False, leave_out: Callable[[Entry], bool] | None = None
    ) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """Yield the entries in sorted order, without those that are left out.

        Args:
            contents: Open the files.
            leave_out: Called with everything but folders; true leaves it out unopened.
        """

        def prune(entry: Entry) -> bool:
            if self._out_of_time() or self._limits.ignores(entry):
                return True
            return leave_out is not None and entry.kind != "dir" and leave_out(entry)

        for item in self._disk.walk(self._folder, contents=contents, prune=prune):
            if self._out_of_time():
                return
            yield item

    def in_time(self, paths: Iterable[str]) -> Iterator[str]:
        """Yield paths as long as there is time."""
        for path in paths:
            if self._out_of_time():
                return
            yield path

    def _out_of_time(self) -> bool:
        check(self._stop)
        self.late = self.late or monotonic() > self._end
        return self.late

    @property
    def note(self) -> str:
        """Return what to tell when time ran out."""
        if not self.late:
            return ""
        return (
            f"(Stopped after {self._limits.seconds:g} seconds; there may be more. "
            "Name a smaller folder.)"
        )


def shown_path(folder: str, path: str) -> str:
    """Return the path of an entry as other tools take it."""
    plain = folder.rstrip("/") if folder.strip("/") else folder
    if plain in (".", "./"):
        return path
    return f"/{path}" if plain == "/" else f"{plain}/{path}"


def trust_of(disk: Disk, folder: str) -> Trust:
    """Return the trust of names found in a folder."""
    inside = disk.restricted or disk.is_inside(folder)
    return Trust.TRUSTED if inside else Trust.UNTRUSTED


def page(lines: list[str], *, total: int, offset: int, more: bool, notes: list[str]) -> str:
    """Join one page of results with what a model must know to read on.

    Args:
        lines: The results of this page.
        total: Results counted in all.
        offset: Results skipped before this page.
        more: There are more than were counted.
        notes: What else to say.
    """
    kept: list[str] = []
    room = MAX_CHARS
    for line in lines:
        room -= len(line) + 1
        if room < 0 and kept:
            break
        kept.append(line[:MAX_CHARS])
    end = offset + len(kept)
    if end < total or more:
        count = f"more than {total}" if more else str(total)
        notes = [
            f"(Showing results {offset + 1}-{end} of {count}. Use offset={end} to continue.)",
            *notes,
        ]
    elif offset:
        notes = [f"(Results {offset + 1}-{end} of {total}.)", *notes]
    return "\n".join(kept + ([""] if kept and any(notes) else []) + [n for n in notes if n])


def beyond(offset: int, total: int) -> ToolError:
    """Return the refusal of an offset after the last result."""
    return ToolError(f"offset {offset} is beyond the last of {total} results.", kind="out_of_range")
