"""The configuration file on disk: read without harm, replaced in one step."""

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
from typing import Any

from nanobot import strict_json
from nanobot._config.keys import kind_of, warning
from nanobot.errors import ConfigError
from nanobot.findings import Finding
from nanobot.paths import write_private

_LARGEST = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The content of a configuration file, as it is written there.

    Args:
        data: What it holds; empty when there is no file.
        digest: Fingerprint of the bytes that were read; empty when there was no file.
        findings: What was noticed, and put right, while reading.
    """

    path: Path
    data: dict[str, Any] = field(repr=False)
    digest: str = ""
    findings: tuple[Finding, ...] = ()


def read_document(path: Path) -> Document:
    """Read a configuration file; a missing one is empty. One that others may read gets mode 0600.

    Raises:
        ConfigError: It can not be read, or is not a JSON object; it is left as it is.
    """
    try:
        content, findings = _read_bytes(path)
    except FileNotFoundError:
        return Document(path=path, data={})
    except OSError as error:
        raise ConfigError(f"{path}: can not be read: {error.strerror}") from None
    try:
        data = strict_json.loads(content)
        problem = "" if isinstance(data, dict) else f"should be an object, found {kind_of(data)}"
        line = column = 1
    except strict_json.JsonError as error:
        problem = error.message if content.strip() else "the file is empty"
        line, column = error.line, error.column
    if problem:
        message = f"{path}: {problem} (line {line}, column {column})"
        raise ConfigError(message, remedy=good_copy_remedy(path))
    return Document(path=path, data=data, digest=_digest(content), findings=findings)


def _read_bytes(path: Path) -> tuple[bytes, tuple[Finding, ...]]:
    # A named pipe must not hang: O_NONBLOCK opens it at once, and then it is refused.
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{path}: is not a file", remedy="Name a JSON file.")
        content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigError(f"{path}: is larger than {_LARGEST >> 20} MiB")
        return content, _close_to_others(file.fileno(), stat.S_IMODE(mode))


def _close_to_others(descriptor: int, mode: int) -> tuple[Finding, ...]:
    if not mode & 0o077:
        return ()
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        return (warning((), f"others can read it (mode {mode:04o})", "run chmod 600 on the file"),)
    return (warning((), f"the file's mode was {mode:04o}: others could read it; now it is 0600"),)


def good_copy(path: Path) -> Path:
    """Return where the last version that worked is kept."""
    return path.with_name(f"{path.stem}.last-good.json")


def good_copy_remedy(path: Path) -> str:
    """Return the sentence that points to the last version that worked, if there is one."""
    copy = good_copy(path)
    return f"The last version that worked is {copy}." if copy.exists() else ""


def keep_good(document: Document) -> None:
    """Keep a copy of a document that worked, unless it is kept already."""
    copy = good_copy(document.path)
    # A copy is a convenience: a full or read-only disk must not keep nanobot from starting.
    with contextlib.suppress(OSError):
        content = document.path.read_bytes() if document.digest else b""
        if _digest(content) == document.digest != _digest_of(copy):
            write_private(copy, content)


def save_document(document: Document, data: Mapping[str, Any]) -> Document:
    """Replace the file's content in one step and return the new document.

    Raises:
        ConfigError: The file was changed since it was read, or can not be written; nothing is
            changed on disk.
    """
    try:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
        content = text.encode("utf-8")
    except ValueError:
        raise ConfigError("the new configuration holds a value that JSON can not hold") from None
    target = document.path.resolve()  # a link stays a link
    try:
        with _locked(target):
            if _digest_of(target) != document.digest:
                raise ConfigError(
                    f"{document.path}: was changed by someone else; nothing was saved",
                    remedy="Run the command again.",
                )
            write_private(target, content)
    except OSError as error:
        raise ConfigError(f"{document.path}: can not be written: {error.strerror}") from None
    return replace(document, data=dict(data), digest=_digest(content), findings=())


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Hold the file while it is compared and replaced; whoever waited finds the new content."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(FileNotFoundError):
            file = stack.enter_context(path.open("rb"))
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digest_of(path: Path) -> str:
    return _digest(path.read_bytes()) if path.exists() else ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
