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
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from nanobot.errors import SessionBusy, SessionVersion, StorageError
from nanobot.paths import private_dir, write_private

VERSION = 1
Record = dict[str, Any]


def file_name(key: str) -> str:
    """Return the file name of a session key: readable, safe on any disk, one per key.

    The digest makes it unique even where names are compared without case.
    """
    digest = hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:24]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", key).strip("-")[:48]
    return f"{readable or 'session'}-{digest}.jsonl"


class Transcript:
    """The file of one session, locked while it is open.

    Use as ``with Transcript(folder, key) as transcript``.

    Args:
        folder: Where the transcripts of the instance lie.
        key: The session's key, any text.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / file_name(key)
        self.key = key
        self.skipped = 0
        self._media = folder / "media"
        self._descriptor = -1
        self._offset = 0
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
            os.close(self._descriptor)
            self._descriptor = -1

    # --- reading --------------------------------------------------------------------------------

    def read(self) -> Iterator[Record]:
        """Yield the records that were added since the last call, oldest first.

        Raises:
            SessionVersion: A newer nanobot wrote the file, or it belongs to another session.
        """
        try:
            size = os.fstat(self._descriptor).st_size
            data = os.pread(self._descriptor, size - self._offset, self._offset)
            while len(data) < size - self._offset:
                more = os.pread(
                    self._descriptor, size - self._offset - len(data), self._offset + len(data)
                )
                if not more:
                    break
                data += more
        except OSError as error:
            raise self._failure("read", error) from error
        self._offset += len(data)
        self._torn = bool(data) and not data.endswith(b"\n")
        for line in data.split(b"\n"):
            if line.strip():
                record = self._parse(line)
                if record is None:
                    self.skipped += 1
                elif self._accept(record):
                    yield record

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

    def _accept(self, record: Record) -> bool:
        if record["type"] == "session":
            self._check_header(record)
            return False
        sequence = record.get("n")
        if not isinstance(sequence, int) or sequence <= self._sequence:
            self.skipped += 1
            return False
        self._sequence = sequence
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
            durable: Return only once it would survive a power cut.

        Raises:
            StorageError: It could not be written; the file holds no part of it that counts.
        """
        if not self._headed:
            header = {"type": "session", "v": VERSION, "key": self.key}
            self._write(json.dumps(header).encode())
            self._headed = True
        data, record = _encode({"type": kind, "n": self._sequence + 1, **fields})
        self._write(data, durable=durable)
        self._sequence += 1
        return record

    def _write(self, line: bytes, *, durable: bool = False) -> None:
        data = b"\n" + line + b"\n" if self._torn else line + b"\n"
        start, torn = self._offset, self._torn
        try:
            written = os.write(self._descriptor, data)
            self._offset += written
            self._torn = written < len(data)
            if self._torn:
                raise OSError("the disk took only part of the record")
            if durable:
                os.fsync(self._descriptor)
                self._sync_folder()
        except OSError as error:
            with suppress(OSError):  # what was refused must not count when the file is read again
                os.ftruncate(self._descriptor, start)
                self._offset, self._torn = start, torn
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


def _encode(record: Record) -> tuple[bytes, Record]:
    """Return a record as a line, and as it will be read back from it."""
    line = json.dumps(record, ensure_ascii=False, separators=(",", ":"), default=str)
    try:
        return line.encode(), record
    except UnicodeEncodeError:  # halves of surrogate pairs, which no vendor accepts either
        data = line.encode("utf-8", "replace")
        return data, json.loads(data)
