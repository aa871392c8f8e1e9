"""apply_patch: many changes, all or none."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.changes import Changes, Current, Recording, view_of
from nanobot_tool_files.content import encode
from nanobot_tool_files.document import Document
from nanobot_tool_files.edit import NoMatch, change
from nanobot_tool_files.hunks import FilePatch, Misfit, apply, parse
from nanobot_tool_files.matching import find
from nanobot_tool_files.nearest import explain
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.walking import Stop, check

_MOST_FILES = 100


@dataclass(kw_only=True, slots=True)
class _Draft:
    """A file as the patch will leave it.

    Args:
        path: As it was named first.
        current: What it holds now, None when there is no file.
        data: What it will hold, None for no file.
        mode: Its permissions, None for the usual ones.
        origin: Where its content was moved from, if anywhere.
        moved: Its content went somewhere else.
    """

    path: str
    current: Current | None
    data: bytes | None
    mode: int | None
    origin: str = ""
    moved: bool = False
    added: int = 0
    removed: int = 0

    @property
    def differs(self) -> bool:
        before = self.current.data if self.current else None
        return before != self.data or (self.current is None) != (self.data is None)

    @property
    def summary(self) -> str:
        if self.origin:
            return f"- move {self.origin} -> {self.path} (+{self.added}/-{self.removed})"
        verb = "add" if self.current is None else "delete" if self.data is None else "update"
        return f"- {verb} {self.path} (+{self.added}/-{self.removed})"

    def count(self, old: str, new: str) -> None:
        """Count the lines that differ, without those that are the same at either end."""
        before, after = old.splitlines(), new.splitlines()
        while before and after and before[0] == after[0]:
            del before[0], after[0]
        while before and after and before[-1] == after[-1]:
            del before[-1], after[-1]
        self.added += len(after)
        self.removed += len(before)


class Patcher:
    """Serves apply_patch.

    Args:
        seen: What sessions have read.
        changes: The way to the disk.
    """

    def __init__(self, seen: SeenFiles, changes: Changes) -> None:
        self._seen = seen
        self._changes = changes

    def apply(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Carry out a patch, or say why nothing was changed."""
        edits, text = arguments.items("edits"), arguments.text("patch", "")
        patches = parse(text) if text else []
        if bool(edits) == bool(text) or len(edits) + len(patches) > _MOST_FILES:
            raise ToolError(
                f"give either patch or edits, with 1 to {_MOST_FILES} changes.", kind="bad_argument"
            )
        dry = arguments.flag("dry_run")
        with self._changes.batch(turn) as files:
            drafts = _Drafts(files, self._seen, turn)
            for number, edit in enumerate(edits, 1):
                check(stop)
                with _part(f"edit {number}"):
                    drafts.edit(edit)
            for patch in patches:
                check(stop)
                with _part(patch.path):
                    drafts.patch(patch)
            changed = drafts.changed()
            for draft in () if dry else changed:
                if draft.data is None:
                    files.remove(draft.path)
                else:
                    files.write(draft.path, draft.data, mode=draft.mode)
        for draft in () if dry else changed:
            view = "" if draft.data is None else view_of(draft.data)
            self._seen.note_write(turn, draft.path, view)
        title = "The patch fits; nothing was changed yet:" if dry else "Patch applied:"
        shown = [draft.summary for draft in changed if not draft.moved]
        return ToolResult.ok("\n".join([title, *(shown or ["- no file differs"])]))


class _Drafts:
    """The files that a patch touches, each under one name.

    Args:
        files: Where they are.
        seen: What sessions have read.
        turn: Whose patch it is.
    """

    def __init__(self, files: Recording, seen: SeenFiles, turn: Turn) -> None:
        self._files = files
        self._seen = seen
        self._turn = turn
        self._drafts: dict[str, _Draft] = {}

    def changed(self) -> list[_Draft]:
        """Return the files that will differ."""
        return [draft for draft in self._drafts.values() if draft.differs]

    def edit(self, edit: Arguments) -> None:
        """Take in one of ``edits``."""
        path = edit.text("path")
        action = edit.choice("action", "replace", "add", "delete", "move")
        if action == "add":
            self._append(path, edit.text("new_text"))
            return
        draft, data = self._existing(path)
        view = edit.text("view", "")
        if view or action == "delete":
            self._seen.check_whole(self._turn, path, view_of(data), given=view)
        if action == "replace":
            self._replace(draft, data, edit.text("old_text"), edit.text("new_text"))
        elif action == "delete":
            self._delete(draft, data)
        else:
            self._move(draft, edit.text("to"))

    def patch(self, patch: FilePatch) -> None:
        """Take in one file of a patch text."""
        if patch.action == "add":
            draft = self._draft(patch.path)
            if draft.data is not None:
                raise _exists(patch.path)
            draft.data = encode(patch.path, apply("", patch.hunks))
            draft.count("", draft.data.decode())
            return
        draft, data = self._existing(patch.path)
        if patch.action == "delete":
            self._seen.check_whole(self._turn, patch.path, view_of(data))
            self._delete(draft, data)
            return
        if patch.hunks:
            self._hunks(draft, data, patch)
        if patch.to:
            self._move(draft, patch.to)

    def _draft(self, path: str) -> _Draft:
        key = self._files.resolve(path)
        if key not in self._drafts:
            current = self._files.read(path)
            data = current.content(path) if current else None
            mode = current.mode if current else None
            self._drafts[key] = _Draft(path=path, current=current, data=data, mode=mode)
        return self._drafts[key]

    def _existing(self, path: str) -> tuple[_Draft, bytes]:
        draft = self._draft(path)
        if draft.data is None:
            self._files.existing(path)
            raise ToolError(
                f"'{path}' is deleted or moved by an earlier part of the patch.",
                kind="not_found",
                target=path,
            )
        return draft, draft.data

    def _append(self, path: str, text: str) -> None:
        draft = self._draft(path)
        if draft.data is None:
            draft.data = encode(path, text)
        else:
            document = Document.load(path, draft.data)
            gap = document.line_end if document.raw and not document.raw.endswith("\n") else ""
            new = text.replace("\r\n", "\n").replace("\n", document.line_end)
            draft.data = document.encode(path, document.raw + gap + new)
        draft.count("", text)

    def _replace(self, draft: _Draft, data: bytes, old: str, new: str) -> None:
        old, new = old.replace("\r\n", "\n"), new.replace("\r\n", "\n")
        if not old:
            raise ToolError("old_text is empty.", kind="bad_argument", target=draft.path)
        document = Document.load(draft.path, data)
        matches = find(document.text, old)
        if not matches:
            raise self._no_match(draft, document.text, old)
        if len(matches) > 1:
            raise _ambiguous(draft.path, [match.line for match in matches])
        piece = change(document.text, matches[0], old, new)
        draft.data = document.encode(draft.path, document.replace([piece]))
        draft.count(document.text[piece[0] : piece[1]], piece[2])

    def _hunks(self, draft: _Draft, data: bytes, patch: FilePatch) -> None:
        document = Document.load(draft.path, data)
        try:
            changed = apply(document.raw, patch.hunks)
        except Misfit as misfit:
            if misfit.lines:
                raise _ambiguous(draft.path, list(misfit.lines)) from None
            raise self._no_match(draft, document.text, misfit.old) from None
        draft.data = document.encode(draft.path, changed)
        for hunk in patch.hunks:
            draft.added += sum(sign == "+" for sign, _ in hunk.lines)
            draft.removed += sum(sign == "-" for sign, _ in hunk.lines)

    def _delete(self, draft: _Draft, data: bytes) -> None:
        draft.removed += data.count(b"\n") + (not data.endswith(b"\n") and data != b"")
        draft.data = None

    def _move(self, draft: _Draft, to: str) -> None:
        target = self._draft(to)
        if target.data is not None:
            raise _exists(to)
        target.data, target.mode = draft.data, draft.mode
        target.origin = draft.origin or draft.path
        target.added, target.removed = draft.added, draft.removed
        draft.data, draft.moved = None, True

    def _no_match(self, draft: _Draft, text: str, old: str) -> NoMatch:
        inside = draft.current is None or draft.current.inside
        return NoMatch(draft.path, explain(draft.path, text, old), inside=inside)


@contextmanager
def _part(label: str) -> Iterator[None]:
    """Let an error say which part of the patch it is about, and that nothing happened."""
    try:
        yield
    except ToolError as error:
        error.message = f"{label}: {error.message}\nNothing was changed."
        raise


def _exists(path: str) -> ToolError:
    return ToolError(f"'{path}' exists already.", kind="exists", target=path)


def _ambiguous(path: str, lines: list[int]) -> ToolError:
    shown = ", ".join(map(str, lines[:10]))
    return ToolError(
        f"the text to change occurs {len(lines)} times in '{path}' (lines {shown}); give more "
        "lines around it.",
        kind="ambiguous",
        target=path,
    )
