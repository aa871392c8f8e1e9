"""A JSON object in a file of its own: read without harm, replaced in one step."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Self

from nanobot_documents import strict_json
from nanobot_documents.writing import private_dir, write_private

_LARGEST = 8 * 1024 * 1024


class DocumentError(Exception):
    """Report a file that can not be read or written as a document.

    Args:
        message: What is wrong, with the file's path and never with its content.
        remedy: What to do next; empty when there is nothing to say.
        line: Where in the file, from 1; 0 when it is not about a place in it.
        column: Where in that line, from 1.
    """

    def __init__(self, message: str, *, remedy: str = "", line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.remedy = remedy
        self.line = line
        self.column = column


class Changed(DocumentError):
    """Report that somebody else changed the file since it was read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """What a file held when it was read or saved; may be subclassed.

    Args:
        data: The JSON object; empty when there is no file.
        digest: Fingerprint of the file's bytes; empty when there is no file.
        exposed: The mode with which others could use the file, 0 when they could not.
        closed: Whether reading put that right: the mode is 0600 now.
    """

    path: Path
    data: dict[str, Any] = field(repr=False)
    digest: str = ""
    exposed: int = 0
    closed: bool = False

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a file of at most 8 MiB; a missing one is empty. One open to others is closed.

        Raises:
            DocumentError: It can not be read, or is not a JSON object; it is left as it is.
        """
        try:
            with _opened(path) as file:
                content = file.read(_LARGEST + 1)
                if len(content) > _LARGEST:
                    raise DocumentError(f"{path}: is larger than {_LARGEST >> 20} MiB")
                exposed, closed = _close_to_others(file.fileno())
        except FileNotFoundError:
            return cls(path=path, data={})
        except OSError as error:
            raise DocumentError(f"{path}: can not be read: {error.strerror}") from None
        data = _object(path, content)
        return cls(path=path, data=data, digest=_digest(content), exposed=exposed, closed=closed)

    def save(self, data: Mapping[str, Any]) -> Self:
        """Replace the file's content in one step and return the new document.

        A link stays a link: what it points to is replaced.

        Raises:
            Changed: Somebody else changed the file since it was read; it is left as it is.
            DocumentError: It can not be written; it is left as it is.
            ValueError: The data could not be read back: it is not JSON, or beyond its limits.
        """
        content = _encode(data)
        if len(content) > _LARGEST:
            raise DocumentError(f"{self.path}: would be larger than {_LARGEST >> 20} MiB")
        try:
            target = self.path.resolve()
            if not self.digest:
                private_dir(target.parent)
            with _locked(target.parent):
                if _digest_of(target) != self.digest:
                    raise Changed(
                        f"{self.path}: was changed by someone else; nothing was saved",
                        remedy="Read it again, and repeat the change.",
                    )
                write_private(target, content)
        except OSError as error:
            raise DocumentError(f"{self.path}: can not be written: {error.strerror}") from None
        return replace(self, data=dict(data), digest=_digest(content), exposed=0, closed=False)

    def keep_good(self) -> None:
        """Keep a copy of this document, which worked; errors about a broken one will name it.

        Nothing happens when it is kept already, when the file has changed since, or when the copy
        can not be written: it is a convenience, and a full disk must not stop anybody for it.
        """
        copy = good_copy(self.path)
        with contextlib.suppress(OSError, DocumentError):
            if self.digest and self.digest != _digest_of(copy):
                with _opened(self.path) as file:
                    content = file.read()
                if _digest(content) == self.digest:
                    write_private(copy, content)


def good_copy(path: Path) -> Path:
    """Return where the last version of a document that worked is kept."""
    return path.with_name(f"{path.stem}.last-good.json")


def good_copy_remedy(path: Path) -> str:
    """Return the sentence that points to the last version that worked, if there is one."""
    copy = good_copy(path)
    return f"The last version that worked is {copy}." if copy.exists() else ""


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    # A named pipe must not hang: O_NONBLOCK opens it at once, and then it is refused.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DocumentError(f"{path}: is not a file", remedy="Name a JSON file.")
        yield file


def _close_to_others(descriptor: int) -> tuple[int, bool]:
    """Return the mode with which others could use a file, and whether they no longer can."""
    mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
    if not mode & 0o077:
        return 0, False
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        return mode, False
    return mode, True


def _object(path: Path, content: bytes) -> dict[str, Any]:
    line = column = 1
    try:
        data = strict_json.loads(content)
        if isinstance(data, dict):
            return data
        problem = f"should be an object, found {strict_json.kind_of(data)}"
    except strict_json.JsonError as error:
        problem = error.message if content.strip() else "the file is empty"
        line, column = error.line, error.column
    message = f"{path}: {problem} (line {line}, column {column})"
    raise DocumentError(message, remedy=good_copy_remedy(path), line=line, column=column)


def _encode(data: Mapping[str, Any]) -> bytes:
    """Return the data as indented JSON that `Document.read` takes."""
    try:
        text = json.dumps(dict(data), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        content = text.encode("utf-8")
        strict_json.loads(content)
    except (TypeError, ValueError, RecursionError):
        raise ValueError("the data holds a value that JSON can not hold") from None
    return content


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others from replacing files of a folder; whoever waited finds the new content.

    The folder and not the file, for the file is another one after it was replaced.
    """
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _digest_of(path: Path) -> str:
    try:
        with _opened(path) as file:
            return _digest(file.read())
    except FileNotFoundError:
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
