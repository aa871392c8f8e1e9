"""The one way for the file tools to change files: all or nothing, and kept for ``/undo``.

Before files change, what they held is copied to a folder of nanobot's own, and what will happen is
noted there. So a turn can be undone even when the process died in the middle of a change.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from nanobot.errors import ToolError
from nanobot.messages import Turn
from nanobot.paths import private_dir, write_private
from nanobot_security import Batch, Disk

FOLDER = "undo"
MAX_FILE = 100 * 1024 * 1024
_MAX_TURNS = 200
_RECORDS = "changes.jsonl"


def digest(data: bytes) -> str:
    """Return what tells one content from another."""
    return hashlib.sha256(data).hexdigest()


def view_of(data: bytes) -> str:
    """Return the short form of a digest, for models."""
    return short_view(digest(data))


def short_view(digest: str) -> str:
    """Return what models see of a digest."""
    return digest[:10]


@dataclass(frozen=True, kw_only=True, slots=True)
class Version:
    """What a file held before a change.

    Args:
        digest: Of the content; empty when it was too large to look at.
        mode: Its permissions.
        kept: A copy of it exists.
    """

    digest: str
    mode: int
    kept: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One file that is about to change.

    Args:
        path: Where it is, with all links resolved.
        before: What it held; None when there was no file.
        after: Digest of what it will hold; empty when it is removed.
        folders: Folders that were made for it, outermost first.
    """

    path: str
    before: Version | None
    after: str
    folders: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Current:
    """What a file holds now.

    Args:
        data: The content; None when it is larger than `MAX_FILE`.
        mode: Its permissions.
        inside: True when it lies in the workspace.
    """

    data: bytes | None = field(repr=False)
    mode: int
    inside: bool

    def content(self, path: str) -> bytes:
        """Return the content; a `ToolError` says that there is too much of it."""
        if self.data is None:
            raise ToolError(
                f"'{path}' is larger than {MAX_FILE:,} bytes, and can not be edited.",
                kind="too_large",
                target=path,
            )
        return self.data


class Changes:
    """Keeps what turns changed, within bounds. Safe to use from several threads and processes.

    Args:
        folder: Where; made on first use.
        most_bytes: Most bytes of copies; 0 keeps nothing.
        most_seconds: Copies older than this are dropped.
    """

    def __init__(self, folder: Path, *, most_bytes: int, most_seconds: float) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._most_seconds = most_seconds
        self._lock = threading.Lock()  # two turns that edit one file do not undo each other

    @contextmanager
    def batch(self, turn: Turn) -> Iterator[Recording]:
        """Change files together: all of it happens when the block ends well, else none.

        Raises:
            ToolError: A file can not be changed, or its copy can not be kept.
        """
        with self.locked():
            journal = None
            if self._most_bytes:
                journal = Journal(self._turn_folder(turn), self._most_bytes)
            disk = Disk.of(turn.workspace)
            with disk.batch() as batch:
                recording = Recording(disk, batch, journal)
                yield recording
                recording.finish()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other threads and processes from changing files through nanobot's tools."""
        with self._lock:
            if not self._most_bytes:
                yield
                return
            with _no_copy():
                private_dir(self._folder)
                lock = os.open(self._folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield
            finally:
                os.close(lock)

    def last(self, session: str) -> Journal | None:
        """Return the last turn of a session that changed files."""
        mine = f"-{_short(session)}-"
        found = [folder for folder in self._turns() if mine in folder.name]
        return Journal(found[-1], 0) if found else None

    def _turns(self) -> list[Path]:
        """Return the folders of all turns, oldest first."""
        return sorted(path for path in self._folder.glob("*-*-*") if path.is_dir())

    def _turn_folder(self, turn: Turn) -> Path:
        name = f"-{_short(turn.scope.session_key)}-{_short(turn.id)}"
        known = [folder for folder in self._turns() if folder.name.endswith(name)]
        if known:
            return known[0]
        self._prune()
        return self._folder / f"{time.time_ns():020}{name}"

    def _prune(self) -> None:
        """Drop the oldest turns until there is room for a new one."""
        oldest = time.time_ns() - self._most_seconds * 1e9
        kept = 0
        for number, folder in enumerate(reversed(self._turns()), 2):
            kept += sum(path.stat().st_size for path in folder.iterdir())
            late = int(folder.name.partition("-")[0]) < oldest
            if late or number > _MAX_TURNS or kept > self._most_bytes:
                shutil.rmtree(folder, ignore_errors=True)


class Journal:
    """What one turn changed.

    Args:
        folder: Where it is kept; made on first use.
        most_bytes: Most bytes of copies.
    """

    def __init__(self, folder: Path, most_bytes: int) -> None:
        self._folder = folder
        self._most_bytes = most_bytes

    def keep(self, data: bytes) -> bool:
        """Keep a copy of a content; false when there is no room for it."""
        path = self._folder / digest(data)
        with _no_copy():
            private_dir(self._folder)
            if path.exists():
                return True
            used = sum(path.stat().st_size for path in self._folder.iterdir())
            if used + len(data) > self._most_bytes:
                return False
            write_private(path, data)
        return True

    def note(self, changes: list[Change]) -> None:
        """Note what is about to change."""
        text = "".join("\n" + json.dumps(asdict(change)) for change in changes) + "\n"
        with _no_copy():
            private_dir(self._folder)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
            descriptor = os.open(self._folder / _RECORDS, flags, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                file.write(text.encode())

    def changes(self) -> list[Change]:
        """Return what was noted, in order; a line that was cut off by a crash is left out."""
        try:
            text = (self._folder / _RECORDS).read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return []
        found = []
        for line in text.split("\n"):
            with suppress(ValueError):  # an empty line, or one that was cut off
                found.append(_change(json.loads(line)))
        return found

    def content(self, version: Version) -> bytes | None:
        """Return a content that was kept; None when it is not there or damaged."""
        try:
            data = (self._folder / version.digest).read_bytes()
        except OSError:
            return None
        return data if digest(data) == version.digest else None

    def drop(self) -> None:
        """Forget the turn."""
        shutil.rmtree(self._folder)


class Recording:
    """Changes that are being prepared.

    Args:
        disk: Where.
        batch: Carries them out.
        journal: Where they are noted; None to note nothing.
    """

    def __init__(self, disk: Disk, batch: Batch, journal: Journal | None) -> None:
        self._disk = disk
        self._batch = batch
        self._journal = journal
        self._read: dict[str, Current | ToolError] = {}
        self._changes: list[Change] = []

    def resolve(self, path: str) -> str:
        """Return the file that a path leads to, so that two names of one are known as such."""
        return self._disk.resolve(path)

    def read(self, path: str) -> Current | None:
        """Return what a file holds; None when there is no file."""
        found = self._look(path)
        return found if isinstance(found, Current) else None

    def existing(self, path: str) -> Current:
        """Return what a file holds; the error when there is none names files that look alike."""
        found = self._look(path)
        if isinstance(found, ToolError):
            raise found
        return found

    def _look(self, path: str) -> Current | ToolError:
        if path not in self._read:
            try:
                self._read[path] = self._open(path)
            except ToolError as error:
                if error.kind != "not_found":
                    raise
                self._read[path] = error
        return self._read[path]

    def _open(self, path: str) -> Current:
        opened = self._disk.open(path)
        with opened.file:
            data = opened.file.read(MAX_FILE + 1) if opened.stat.size <= MAX_FILE else None
        if data is not None and len(data) > MAX_FILE:
            data = None
        return Current(data=data, mode=opened.stat.mode, inside=opened.inside)

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        """Create a file or replace its content; permissions stay unless given."""
        before = self._keep(path)
        folders = self._batch.write(path, data, mode=mode)
        change = Change(path=self.resolve(path), before=before, after=digest(data), folders=folders)
        self._changes.append(change)

    def remove(self, path: str) -> None:
        """Delete a regular file."""
        self._batch.remove(path)
        self._changes.append(Change(path=self.resolve(path), before=self._keep(path), after=""))

    def _keep(self, path: str) -> Version | None:
        current = self.read(path)
        if current is None:
            return None
        if current.data is None or self._journal is None:
            return Version(digest="", mode=current.mode, kept=False)
        kept = self._journal.keep(current.data)
        return Version(digest=digest(current.data), mode=current.mode, kept=kept)

    def finish(self) -> None:
        """Note the changes, then carry them out."""
        if self._journal is not None and self._changes:
            self._journal.note(self._changes)
        self._batch.commit()


@contextmanager
def _no_copy() -> Iterator[None]:
    """Say what it means when nanobot's own folder can not be written."""
    try:
        yield
    except OSError as error:
        raise ToolError(
            f"nothing was changed: the copy that /undo needs can not be kept ({error.strerror})",
            kind="no_space" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "failed",
            retryable=True,
        ) from None


def _change(values: dict[str, Any]) -> Change:
    before = values["before"]
    version = Version(**before) if before is not None else None
    return Change(**{**values, "before": version, "folders": tuple(values["folders"])})


def _short(text: str) -> str:
    return hashlib.blake2s(text.encode(errors="replace"), digest_size=8).hexdigest()
