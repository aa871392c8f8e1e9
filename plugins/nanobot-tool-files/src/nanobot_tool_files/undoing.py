"""Takes back what a turn changed."""

from __future__ import annotations

import os
from pathlib import Path

from nanobot.errors import ToolError
from nanobot.messages import Turn
from nanobot_security import Disk

from nanobot_tool_files.changes import FOLDER, MAX_FILE, Change, Changes, Journal, digest

_SHOWN = 20


def open_undo(plugins: Path) -> Undo:
    """Return the undoing of what the file tools of an instance changed.

    Args:
        plugins: The folder with the plugins' data; each has one of its id's name.
    """
    return Undo(Changes(plugins / "tools.files" / FOLDER, most_bytes=1, most_seconds=0))


class Undo:
    """Undoes the last turn of a session that changed files.

    Args:
        changes: What turns changed.
    """

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def last_turn(self, turn: Turn, *, force: bool) -> str:
        """Restore the files as they were before; return what to tell the user.

        Nothing is changed when somebody else has changed one of the files since.

        Args:
            turn: The turn that asks.
            force: Restore such files too.

        Raises:
            ToolError: A file can not be restored.
        """
        with self._changes.locked():
            journal = self._changes.last(turn.scope.session_key)
            if journal is None:
                return "There is nothing to undo in this chat."
            disk = Disk.of(turn.workspace)
            return _restore(disk, journal, force=force)


def _restore(disk: Disk, journal: Journal, *, force: bool) -> str:
    files: dict[str, list[Change]] = {}
    folders: list[str] = []
    for change in journal.changes():
        files.setdefault(change.path, []).append(change)
        folders += change.folders
    done: list[str] = []
    changed: list[str] = []
    lost: list[str] = []
    with disk.batch() as batch:
        for path, history in files.items():
            goal = history[0].before
            now = _digest_of(disk, path)
            wanted = goal.digest if goal else ""
            shown = _shown(disk, path)
            if now == wanted and (goal is None or wanted):
                continue
            if now not in {change.after for change in history}:
                changed.append(shown)
                if not force:
                    continue
            if goal is None:
                batch.remove(path)
                done.append(f"removed {shown}")
                continue
            data = journal.content(goal) if goal.kept else None
            if data is None:
                lost.append(shown)
                continue
            batch.write(path, data, mode=goal.mode)
            done.append(f"restored {shown}")
        if (changed or lost) and not force:
            return _refusal(changed, lost)
        batch.commit()
    for folder in reversed(folders):
        _remove_if_empty(disk, folder)
    journal.drop()
    if not done:
        return "The files are already as they were before the last turn that changed any."
    text = "Undone what the last turn changed:\n" + _list(done)
    return text + (f"\nNot restored, because no copy was kept:\n{_list(lost)}" if lost else "")


def _refusal(changed: list[str], lost: list[str]) -> str:
    text = "Nothing was undone."
    if changed:
        text += f" Changed by someone else since:\n{_list(changed)}"
    if lost:
        text += f"\nToo large to have been kept:\n{_list(lost)}"
    return f"{text}\n`/undo force` restores what it can; what those files hold now is lost."


def _digest_of(disk: Disk, path: str) -> str | None:
    """Return the digest of what is there: empty for nothing, None for what is no plain file."""
    try:
        opened = disk.open(path)
    except ToolError as error:
        if error.kind == "not_found":
            return ""
        if error.kind in ("not_a_file", "not_a_dir"):
            return None
        raise
    with opened.file:
        return digest(opened.file.read(MAX_FILE)) if opened.stat.size <= MAX_FILE else None


def _remove_if_empty(disk: Disk, folder: str) -> None:
    try:
        disk.remove_folder(folder)
    except ToolError:
        return  # others use it by now


def _shown(disk: Disk, path: str) -> str:
    root = os.path.realpath(disk.root)
    return os.path.relpath(path, root) if path.startswith(f"{root}/") else path


def _list(lines: list[str]) -> str:
    shown = [f"- {line}" for line in lines[:_SHOWN]]
    more = len(lines) - len(shown)
    return "\n".join([*shown, *([f"- and {more} more"] if more else [])])
