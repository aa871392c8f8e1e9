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
from nanobot._config.findings import Finding
from nanobot._config.keys import kind_of
from nanobot.errors import ConfigError
from nanobot.paths import write_private

_LARGEST = 8 * 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The content of a configuration file, as it is written there.

    Args:
        path: The file.
        data: What it holds; empty when there is no file.
        digest: Fingerprint of the bytes that were read; empty when there was no file.
        findings: What was noticed, and put right, while reading.
    """

    path: Path
    data: dict[str, Any] = field(repr=False)
    digest: str = ""
    findings: tuple[Finding, ...] = ()


def read(path: Path) -> Document:
    """Read a configuration file; a missing one is empty.

    A file that others may read gets mode 0600.

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
    except strict_json.JsonError as error:
        message = "the file is empty" if not content.strip() else error.message
        raise _broken(path, f"{message} (line {error.line}, column {error.column})") from None
    if not isinstance(data, dict):
        raise _broken(path, f"line 1: should be an object, found {kind_of(data)}")
    return Document(path=path, data=data, digest=_digest(content), findings=findings)


def _read_bytes(path: Path) -> tuple[bytes, tuple[Finding, ...]]:
    with open(path, "rb", opener=_open_at_once) as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode):
            raise ConfigError(f"{path}: is not a file", remedy="Name a JSON file.")
        content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:
            raise ConfigError(f"{path}: is larger than {_LARGEST >> 20} MiB")
        return content, _close_to_others(file.fileno(), stat.S_IMODE(mode))


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)  # a named pipe must not hang


def _close_to_others(descriptor: int, mode: int) -> tuple[Finding, ...]:
    if not mode & 0o077:
        return ()
    message, remedy = f"mode was {mode:04o}, so that others could read it; now 0600", ""
    try:
        os.fchmod(descriptor, 0o600)
    except OSError:
        message, remedy = f"others can read it (mode {mode:04o})", "run chmod 600 on it"
    finding = Finding(path="", severity="warning", message=f"the file's {message}", remedy=remedy)
    return (finding,)


def _broken(path: Path, message: str) -> ConfigError:
    return ConfigError(f"{path}: {message}", remedy=good_copy_remedy(path))


def good_copy(path: Path) -> Path:
    """Return where the last version that worked is kept."""
    return path.with_name(f"{path.stem}.last-good.json")


def good_copy_remedy(path: Path) -> str:
    """Return the sentence that points to the last version that worked, if there is one."""
    copy = good_copy(path)
    return f"The last version that worked is {copy}." if copy.exists() else ""


def keep_good(document: Document) -> None:
    """Keep a copy of a document that worked, unless it is kept already."""
    if not document.digest:
        return
    copy = good_copy(document.path)
    # A copy is a convenience: a full or read-only disk must not keep nanobot from starting.
    with contextlib.suppress(OSError):
        content = document.path.read_bytes()
        if _digest(content) == document.digest != _digest_of(copy):
            write_private(copy, content)


def save(document: Document, data: Mapping[str, Any]) -> Document:
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
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _digest_of(path: Path) -> str:
    try:
        return _digest(path.read_bytes())
    except FileNotFoundError:
        return ""


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
