"""What each session has read, to spare repetitions and to notice changes by others."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from nanobot.messages import Turn
from nanobot_security import Disk, Stat

_MOST_FILES = 2_000  # over all sessions; the least recently used are forgotten
_MOST_PAGES = 50

Key = tuple[str, str]
Page = tuple[int, int]


@dataclass(kw_only=True, slots=True)
class _Seen:
    stat: Stat
    pages: dict[Page, bytes] = field(default_factory=dict)


def _key(turn: Turn, path: str) -> Key:
    """Name a file of a session; different spellings of a path mean the same file."""
    full = os.path.join(Disk.of(turn.workspace).root, os.path.expanduser(path))  # noqa: PTH111, PTH118
    return turn.scope.session_key, os.path.normpath(full)


class SeenFiles:
    """Remembers reads by session and file, within bounds. Safe to use from several threads."""

    def __init__(self) -> None:
        self._files: OrderedDict[Key, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def note_page(self, turn: Turn, path: str, stat: Stat, page: Page, digest: bytes) -> bool:
        """Note that lines were read; tell whether the session had read the very same before."""
        key = _key(turn, path)
        with self._lock:
            seen = self._files.setdefault(key, _Seen(stat=stat))
            self._files.move_to_end(key)
            known = seen.pages.get(page) == digest
            seen.stat = stat
            if len(seen.pages) >= _MOST_PAGES:
                seen.pages.clear()
            seen.pages[page] = digest
            while len(self._files) > _MOST_FILES:
                self._files.popitem(last=False)
            return known

    def note_write(self, turn: Turn, path: str) -> None:
        """Note that the session itself changed a file, so that its next edit warns of nothing."""
        stat = Disk.of(turn.workspace).stat(path)
        with self._lock:
            self._files[_key(turn, path)] = _Seen(stat=stat)

    def warning(self, turn: Turn, path: str, stat: Stat) -> str:
        """Return what to say before a change to a file that the session does not know well."""
        with self._lock:
            seen = self._files.get(_key(turn, path))
        if seen is None:
            return f"Warning: {path} was not read in this session before it was changed.\n"
        if seen.stat != stat:
            return f"Warning: {path} was changed by someone else since it was last read.\n"
        return ""
