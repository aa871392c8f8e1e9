"""What each session has read, to spare repetitions and to notice changes by others."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from nanobot.errors import ToolError
from nanobot.messages import Turn
from nanobot_security import Disk

_MOST_FILES = 2_000  # over all sessions; the least recently used are forgotten
_MOST_PAGES = 50

Key = tuple[str, str]
Page = tuple[object, ...]


@dataclass(kw_only=True, slots=True)
class _Seen:
    view: str
    pages: set[Page] = field(default_factory=set)


def _key(turn: Turn, path: str) -> Key:
    """Name a file of a session; different spellings of a path mean the same file."""
    full = os.path.join(Disk.of(turn.workspace).root, os.path.expanduser(path))  # noqa: PTH111, PTH118
    return turn.scope.session_key, os.path.normpath(full)


class SeenFiles:
    """Remembers reads by session and file, within bounds. Safe to use from several threads.

    A view names the whole content of a file: two reads with one view read the same file.
    """

    def __init__(self) -> None:
        self._files: OrderedDict[Key, _Seen] = OrderedDict()
        self._lock = threading.Lock()

    def note_page(self, turn: Turn, path: str, view: str, page: Page) -> bool:
        """Note that a part was read; tell whether the session had read the very same before."""
        key = _key(turn, path)
        with self._lock:
            seen = self._files.get(key)
            if seen is None or seen.view != view or len(seen.pages) >= _MOST_PAGES:
                seen = self._files[key] = _Seen(view=view)
            self._files.move_to_end(key)
            known = page in seen.pages
            seen.pages.add(page)
            while len(self._files) > _MOST_FILES:
                self._files.popitem(last=False)
            return known

    def note_write(self, turn: Turn, path: str, view: str) -> None:
        """Note that the session itself changed a file, so that its next edit warns of nothing."""
        with self._lock:
            self._files[_key(turn, path)] = _Seen(view=view)

    def forget(self, turn: Turn, path: str) -> None:
        """Note that the session itself removed a file."""
        with self._lock:
            self._files.pop(_key(turn, path), None)

    def warning(self, turn: Turn, path: str, view: str, *, given: str = "") -> str:
        """Return what to say before a change to a piece of a file.

        Args:
            turn: Whose session.
            path: The file.
            view: What names its content now.
            given: The view that the model says it knows.

        Raises:
            ToolError: kind ``stale``; the model knows another content.
        """
        if given:
            if given != view:
                raise stale(path)
            return ""
        known = self._known(turn, path)
        if not known:
            return f"Warning: {path} was not read in this session before it was changed.\n"
        if known != view:
            return f"Warning: {path} was changed by someone else since it was last read.\n"
        return ""

    def check_whole(self, turn: Turn, path: str, view: str, *, given: str = "") -> None:
        """Refuse to replace a whole file whose content the model knows differently.

        Raises:
            ToolError: kind ``stale``.
        """
        known = given or self._known(turn, path)
        if known and known != view:
            raise stale(path)

    def _known(self, turn: Turn, path: str) -> str:
        with self._lock:
            seen = self._files.get(_key(turn, path))
        return seen.view if seen else ""


def stale(path: str) -> ToolError:
    """Return the refusal of a change that was made for another content."""
    return ToolError(
        f"'{path}' was changed by someone else since you read it; nothing was changed. Read it "
        "again, then decide.",
        kind="stale",
        target=path,
    )
