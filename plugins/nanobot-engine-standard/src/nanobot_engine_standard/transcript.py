"""The transcript of a session: one append-only file of JSON lines, never rewritten in place.

Each record is written by one ``write``. Reading repairs what a crash or a bad disk left behind
without losing the rest: a torn last line, bytes that are no UTF-8, lines that are no JSON, doubled
lines.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from nanobot.errors import SessionBusy, SessionVersion, StorageError
from nanobot.paths import private_dir, write_private

VERSION = 1
Record = dict[str, Any]
_CHUNK = 1024 * 1024
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str)


def file_name(key: str) -> str:
    """Return the file name of a session key: readable, safe on any disk, one per key.

    The digest makes it unique even where names are compared without case.
    """
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:48]
    return f"{readable or 'session'}-{digest}.jsonl"


class Transcript:
    """The file of one session, locked while it is open.

    Use as ``with Transcript(folder, key) as transcript``. A closed one remembers how far it has
    read, and may be opened again by `resume`.

    Args:
        folder: Where the transcripts of the instance lie.
        key: The session's key, any text.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / file_name(key)
        self.key = key
        self.skipped = 0
        self.irregular = False
        self._media = folder / "media"
        self._descriptor = -1
        self._borrowed = False
        self._stamp: tuple[int, ...] = ()
        self._offset = 0
        self._last = (0, False)
        self._torn = False
        self._headed = False
        self._named = False
        self._sequence = 0

    def __enter__(self) -> Self:
        try:
            private_dir(self.path.parent)
            self._descriptor = os.open(
                self.path,
                os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC,
                0o600,
            )
            if not stat.S_ISREG(os.fstat(self._descriptor).st_mode):
                raise OSError("it is no regular file")
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.__exit__()
            raise SessionBusy(
                f"another nanobot process is running a turn in session {self.key!r}",
                remedy="Wait until it has finished, or name another session with -s.",
            ) from None
        except OSError as error:
            self.__exit__()
            raise self._failure("opened", error) from error
        return self

    def __exit__(self, *_: object) -> None:
        if self._descriptor >= 0:
            with suppress(OSError):
                self._stamp = _stamp(self._descriptor)
            if not self._borrowed:
                os.close(self._descriptor)
            self._descriptor = -1

    def resume(self, opened: Transcript) -> bool:
        """Use the open file of another from now on, which closes it; tell whether that may be.

        It may not when somebody has replaced or changed the file since it was read here.
        """
        try:
            device, inode, size, changed = _stamp(opened._descriptor)
        except OSError:
            return False
        same_file = self._stamp[:2] == (device, inode)
        untouched = size == self._offset and self._stamp[2:] == (size, changed)
        if not same_file or not (untouched or size > self._offset):
            return False
        self._descriptor, self._borrowed = opened._descriptor, True
        return True

    # --- reading --------------------------------------------------------------------------------

    def unread(self) -> int:
        """Return how many bytes were added since the last reading or writing."""
        try:
            return os.fstat(self._descriptor).st_size - self._offset
        except OSError as error:
            raise self._failure("read", error) from error

    def read(self) -> Iterator[Record]:
        """Yield the records that were added since the last call, oldest first.

        A line that stands twice, byte for byte, counts once. After a later call `irregular` tells
        whether what was added does not simply go on from what was there.

        Raises:
            SessionVersion: A newer nanobot wrote the file, or it belongs to another session.
        """
        seen: set[int] | None = set() if self._offset == 0 else None
        for line in self._lines():
            record = self._parse(line)
            if record is None:
                self.skipped += 1
            elif record["type"] == "session":
                self._check_header(record)
            elif self._accept(record, hash(line), seen):
                yield record

    def again(self) -> Iterator[Record]:
        """Yield all records from the first one on, and leave this transcript's place alone."""
        other = Transcript(self.path.parent, self.key)
        other._descriptor = self._descriptor
        yield from other.read()

    def _lines(self) -> Iterator[bytes]:
        """Yield the lines that are not blank; a last one may lack its end."""
        rest: list[bytes] = []
        left = self.unread()
        while left > 0:
            try:
                data = os.pread(self._descriptor, min(left, _CHUNK), self._offset)
            except OSError as error:
                raise self._failure("read", error) from error
            if not data:
                break
            left -= len(data)
            self._offset += len(data)
            self._torn = not data.endswith(b"\n")
            first, *lines = data.split(b"\n")
            rest.append(first)
            for line in lines:
                whole = b"".join(rest)
                rest = [line]
                if whole.strip():
                    yield whole
        whole = b"".join(rest)
        if whole.strip():
            yield whole

    @staticmethod
    def _parse(line: bytes) -> Record | None:
        text = line.decode("utf-8", "replace")
        try:
            record = json.loads(text)
        except (ValueError, RecursionError):
            return None
        if not isinstance(record, dict) or not isinstance(record.get("type"), str):
            return None
        if record["type"] == "session":
            return None if "\ufffd" in text else record  # headers are written in ASCII
        return _encode(record)[1] if "\\u" in text else record

    def _accept(self, record: Record, print_: int, seen: set[int] | None) -> bool:
        sequence = record.get("n")
        if not isinstance(sequence, int) or (seen is not None and print_ in seen):
            self.skipped += 1
            return False
        if seen is None:
            self.irregular = self.irregular or sequence != self._sequence + 1
        else:
            seen.add(print_)
        sane = 0 <= sequence < 2**53
        self._sequence = sequence if sane else self._sequence + 1
        if record["type"] == "damage":
            self.skipped = 0  # reported before
        return True

    def _check_header(self, header: Record) -> None:
        self._headed = self._named = True
        version = header.get("v")
        if not isinstance(version, int) or version > VERSION:
            raise SessionVersion(
                f"{self.path} was written by another version of nanobot (format {version!r}, "
                f"this one reads up to {VERSION})",
                remedy="pip install --upgrade nanobot-core, or start another session with -s NAME. "
                "The file was left as it is.",
            )
        if header.get("key") != self.key:
            raise SessionVersion(
                f"{self.path} belongs to session {header.get('key')!r}, not to {self.key!r}",
                remedy="Move the file away, or start another session with -s NAME.",
            )

    # --- writing --------------------------------------------------------------------------------

    def append(self, kind: str, fields: Mapping[str, Any], *, durable: bool = False) -> Record:
        """Add a record.

        Args:
            durable: Return only once it would survive a power cut, as `sync` does.

        Raises:
            StorageError: It could not be written; the file holds no part of it that counts.
        """
        if not self._headed:
            header = {"type": "session", "v": VERSION, "key": self.key}
            self._write(json.dumps(header).encode())
            self._headed = True
        data, record = _encode({"type": kind, "n": self._sequence + 1, **fields})
        self._write(data)
        self._sequence += 1
        if durable:
            self.sync()
        return record

    def _write(self, line: bytes) -> None:
        data = b"\n" + line + b"\n" if self._torn else line + b"\n"
        start, torn = self._offset, self._torn
        try:
            written = os.write(self._descriptor, data)
            self._offset += written
            self._torn = written < len(data)
            if self._torn:
                raise OSError("the disk took only part of the record")
        except OSError as error:
            self._take_back(start, torn)
            raise self._failure("written", error) from error
        self._last = start, torn

    def _take_back(self, start: int, torn: bool) -> None:
        """Cut off what was refused: it must not count when the file is read again."""
        with suppress(OSError):
            os.ftruncate(self._descriptor, start)
            self._offset, self._torn = start, torn

    def sync(self) -> None:
        """Return once all records would survive a power cut; may take long.

        Raises:
            StorageError: It is not sure that they would; the last one does not count.
        """
        try:
            os.fsync(self._descriptor)
            self._sync_folder()
        except OSError as error:
            self._take_back(*self._last)
            self._sequence -= 1
            raise self._failure("written", error) from error

    def _sync_folder(self) -> None:
        """Make a new file survive a power cut; its name is an entry of the folder."""
        if self._named:
            return
        folder = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._named = True

    def _failure(self, what: str, error: OSError) -> StorageError:
        reason = error.strerror or str(error)
        return StorageError(
            f"the transcript {self.path} can not be {what}: {reason}",
            remedy="Check free space and permissions of the workspace, or use another one with -w.",
        )

    # --- pictures -------------------------------------------------------------------------------

    def store(self, content: bytes) -> str:
        """Keep the bytes of a picture beside the transcripts and return their digest."""
        digest = hashlib.sha256(content).hexdigest()
        path = self._media / digest
        if not path.exists():
            try:
                write_private(path, content)
            except OSError as error:
                raise self._failure("written", error) from error
        return digest

    def blob(self, digest: str) -> bytes | None:
        """Return the bytes of a picture, None when they are gone."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            return None
        try:
            return (self._media / digest).read_bytes()
        except OSError:
            return None


def _stamp(descriptor: int) -> tuple[int, ...]:
    """Return what tells a file, and a change of it, from others."""
    found = os.fstat(descriptor)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


def _encode(record: Record) -> tuple[bytes, Record]:
    """Return a record as a line, and as it will be read back from it."""
    line = _JSON.encode(record)
    try:
        return line.encode(), record
    except UnicodeEncodeError:  # halves of surrogate pairs, which no vendor accepts either
        data = line.encode("utf-8", "replace")
        return data, json.loads(data)
