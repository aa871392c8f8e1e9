"""The notes of a conversation: one small file for each session and each user in it."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path
from typing import Any

from nanobot.errors import StorageError, ToolError
from nanobot.messages import Scope
from nanobot.paths import write_private

MAX_KEYS = 64
MAX_KEY = 64
MAX_DEPTH = 10
MAX_BYTES = 64 * 1024


class Scratchpads:
    """Keeps notes on disk; all methods block.

    Args:
        folder: Where; made when the first note is kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def read(self, scope: Scope) -> dict[str, Any]:
        """Return the notes; none if the file can not be read as such."""
        try:
            kept = json.loads(self._path(scope).read_bytes())
        except (OSError, ValueError):
            return {}
        notes = kept.get("notes") if isinstance(kept, dict) else None
        return notes if isinstance(notes, dict) else {}

    def set(self, scope: Scope, key: str, value: object) -> None:
        """Keep a note, or remove it with None.

        Raises:
            ToolError: It is too much, or no JSON.
            StorageError: It can not be written.
        """
        _check(key, value)
        with self._lock:
            notes = self.read(scope)
            if value is None:
                notes.pop(key, None)
            else:
                notes[key] = value
            if len(notes) > MAX_KEYS:
                raise _too_much(f"There are {MAX_KEYS} notes; remove one first, with null.")
            data = json.dumps({"session": scope.session_key, "notes": notes}).encode()
            if len(data) > MAX_BYTES:
                raise _too_much(f"The notes would be larger than {MAX_BYTES // 1024} KiB.")
            try:
                write_private(self._path(scope), data)
            except OSError as error:
                raise StorageError(f"the note can not be kept: {error.strerror or error}") from None

    def _path(self, scope: Scope) -> Path:
        who = scope.principal
        named = json.dumps([scope.session_key, who.channel, who.account, who.user])
        return self._folder / f"{hashlib.sha256(named.encode()).hexdigest()[:32]}.json"


def _check(key: str, value: object) -> None:
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise ToolError(
            f"The name of a note has 1 to {MAX_KEY} printable characters.", kind="bad_argument"
        )
    if _depth(value) > MAX_DEPTH:
        raise _too_much(f"A note is nested at most {MAX_DEPTH} deep.")
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        raise ToolError("A note must be a JSON value.", kind="bad_argument") from None


def _depth(value: object) -> int:
    """Return how deep a value is nested, without looking deeper than it may be."""
    depth, level = 0, [value]
    while level and depth <= MAX_DEPTH:
        level = [child for one in level for child in _children(one)]
        depth += 1
    return depth


def _children(value: object) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _too_much(why: str) -> ToolError:
    return ToolError(why, kind="too_large")
