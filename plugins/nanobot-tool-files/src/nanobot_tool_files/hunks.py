"""Patches as text: the format between ``*** Begin Patch`` and ``*** End Patch``, and unified diffs.

A hunk is found by its lines. The line number of a unified diff, or the text behind ``@@`` of the
other format, tells which of several places is meant.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from nanobot.errors import ToolError

_RANGE = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_FILE = ["--- ", "+++ "]
_NOTHING = "/dev/null"
_FORMS: tuple[Callable[[str], str], ...] = (str, str.rstrip, str.strip)


@dataclass(frozen=True, kw_only=True, slots=True)
class Hunk:
    """Some neighbouring lines that change.

    Args:
        lines: Sign (blank, minus or plus) and text of each line.
        line: Where it was in the old file, counted from 1; 0 when that is not said.
        header: A line above it, empty when none is given.
        at_end: It reaches to the end of the file.
        newline: Whether the new file ends with a newline; None when that is not said.
    """

    lines: tuple[tuple[str, str], ...]
    line: int = 0
    header: str = ""
    at_end: bool = False
    newline: bool | None = None

    @property
    def old(self) -> list[str]:
        """Return the lines that must be there."""
        return [text for sign, text in self.lines if sign != "+"]


@dataclass(frozen=True, kw_only=True, slots=True)
class FilePatch:
    """What a patch does with one file.

    Args:
        to: New path when the file moves.
    """

    path: str
    action: Literal["add", "update", "delete"]
    hunks: tuple[Hunk, ...] = ()
    to: str = ""


def parse(patch: str) -> list[FilePatch]:
    """Read a patch in either format; a `ToolError` of kind ``bad_patch`` says what is wrong."""
    lines = patch.replace("\r\n", "\n").removesuffix("\n").split("\n")
    begin = next((n for n, line in enumerate(lines) if line.strip() == "*** Begin Patch"), None)
    if begin is not None:
        return _Marked(lines[begin + 1 :]).files()
    if any(line.startswith(("--- ", "diff --git ")) for line in lines):
        return _Unified(lines).files()
    raise _bad("it must begin with '*** Begin Patch', or be a unified diff")


def _bad(why: str) -> ToolError:
    return ToolError(f"the patch can not be read: {why}. Nothing was changed.", kind="bad_patch")


def _hunk(lines: list[str], *, line: int = 0, header: str = "", at_end: bool = False) -> Hunk:
    """Build a hunk from its lines, with the remarks about a missing newline among them."""
    found: list[tuple[str, str]] = []
    newline = None
    for text in lines:
        if text.startswith("\\"):  # "\ No newline at end of file" speaks of the line before
            newline = bool(found) and found[-1][0] == "-"
        elif text == "":
            found.append((" ", ""))
        elif text[0] in " -+":
            found.append((text[0], text[1:]))
        else:
            raise _bad(f"a line of a hunk must begin with ' ', '-' or '+': {text[:80]!r}")
    if not any(sign != " " for sign, _ in found):
        raise _bad("a hunk changes nothing; lines to add begin with '+', lines to remove with '-'")
    return Hunk(lines=tuple(found), line=line, header=header, at_end=at_end, newline=newline)


class _Marked:
    """Reads the format between ``*** Begin Patch`` and ``*** End Patch``."""

    def __init__(self, lines: list[str]) -> None:
        ends = [n for n, line in enumerate(lines) if line.rstrip() == "*** End Patch"]
        if not ends:
            raise _bad("'*** End Patch' is missing, so it may be cut off")
        self._lines = lines[: ends[0]]

    def files(self) -> list[FilePatch]:
        found = []
        while self._lines:
            line = self._lines.pop(0)
            action, _, path = line.removeprefix("*** ").partition(" File: ")
            path = path.strip()
            if not line.strip():
                continue
            if not line.startswith("*** ") or not path:
                raise _bad(f"expected '*** Add File: PATH' or the like, found {line[:80]!r}")
            if action == "Add":
                body = self._body()
                found.append(FilePatch(path=path, action="add", hunks=_added(body)))
            elif action == "Delete":
                found.append(FilePatch(path=path, action="delete"))
            elif action == "Update":
                to = ""
                if self._lines and self._lines[0].startswith("*** Move to: "):
                    to = self._lines.pop(0).removeprefix("*** Move to: ").strip()
                found.append(
                    FilePatch(path=path, action="update", hunks=self._hunks(path, to), to=to)
                )
            else:
                raise _bad(f"'{action} File' is no action; Add, Update and Delete are")
        return found

    def _body(self) -> list[str]:
        body = []
        while self._lines and not self._lines[0].startswith("*** "):
            body.append(self._lines.pop(0))
        return body

    def _hunks(self, path: str, to: str) -> tuple[Hunk, ...]:
        hunks: list[Hunk] = []
        header, body = "", list[str]()

        def close(*, at_end: bool = False) -> None:
            if body:
                hunks.append(_hunk(body, header=header, at_end=at_end))
                body.clear()

        while self._lines:
            line = self._lines[0]
            if line.rstrip() == "*** End of File":
                close(at_end=True)
            elif line.startswith("*** "):
                break
            elif line.startswith("@@"):
                close()
                header = line[2:].strip()
            else:
                body.append(line)
            self._lines.pop(0)
        while body and not body[-1]:
            body.pop()  # blank lines between files
        close()
        if not hunks and not to:
            raise _bad(f"the update of '{path}' has no hunk")
        return tuple(hunks)


def _added(body: list[str]) -> tuple[Hunk, ...]:
    while body and not body[-1]:
        body.pop()
    return (_hunk(body),) if body else ()


class _Unified:
    """Reads a unified diff, with the headers of git or without."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines
        self._at = 0

    def files(self) -> list[FilePatch]:
        found: list[FilePatch] = []
        renamed = ""
        while self._at < len(self._lines):
            line = self._lines[self._at]
            self._at += 1
            if line.startswith("rename from "):
                renamed = line.removeprefix("rename from ")
            elif line.startswith("rename to "):
                to = line.removeprefix("rename to ")
                if not self._has_hunks():
                    found.append(FilePatch(path=renamed, action="update", to=to))
            elif line.startswith("--- ") and self._is("+++ "):
                new = self._lines[self._at]
                self._at += 1
                found.append(self._file(_path(line), _path(new)))
        if not found:
            raise _bad("no file is named by '--- PATH' and '+++ PATH'")
        return found

    def _is(self, start: str) -> bool:
        return self._at < len(self._lines) and self._lines[self._at].startswith(start)

    def _has_hunks(self) -> bool:
        return self._is("--- ") or self._is("index ") or self._is("similarity ")

    def _file(self, old: str, new: str) -> FilePatch:
        if old.startswith("a/") and new.startswith("b/"):
            old, new = old[2:], new[2:]
        elif old == _NOTHING:
            new = new.removeprefix("b/")
        elif new == _NOTHING:
            old = old.removeprefix("a/")
        hunks = []
        while self._is("@@"):
            hunks.append(self._hunk())
        if new == _NOTHING:
            return FilePatch(path=old, action="delete")
        if old == _NOTHING:
            return FilePatch(path=new, action="add", hunks=tuple(hunks))
        if not hunks and old == new:
            raise _bad(f"the diff of '{old}' has no hunk")
        to = new if new != old else ""
        return FilePatch(path=old, action="update", hunks=tuple(hunks), to=to)

    def _hunk(self) -> Hunk:
        head = _RANGE.match(self._lines[self._at])
        self._at += 1
        body = self._counted(head) if head else None
        if body is None:  # models count badly
            body = self._until_next()
        while body and not body[-1]:
            body.pop()
        line = int(head[1]) if head else 0
        if head and head[2] == "0":
            line += 1  # of an empty range the number is that of the line before
        return _hunk(body, line=line)

    def _counted(self, head: re.Match[str]) -> list[str] | None:
        """Return as many lines as the head says, None when that does not fit."""
        old, new = int(head[2] or 1), int(head[4] or 1)
        at = self._at
        while old > 0 or new > 0 or (at < len(self._lines) and self._lines[at].startswith("\\")):
            if at >= len(self._lines):
                return None
            sign = self._lines[at][:1] or " "
            if sign not in " -+\\":
                return None
            old -= sign in " -"
            new -= sign in " +"
            at += 1
        following = self._lines[at : at + 2]
        is_file = [line[:4] for line in following] == _FILE
        if following and following[0][:1] in (" ", "+", "-") and not is_file:
            return None
        body = self._lines[self._at : at]
        self._at = at
        return body

    def _until_next(self) -> list[str]:
        start = self._at
        while self._at < len(self._lines):
            line = self._lines[self._at]
            is_file = [line[:4] for line in self._lines[self._at : self._at + 2]] == _FILE
            if line.startswith(("@@", "diff --git ")) or is_file:
                break
            self._at += 1
        return self._lines[start : self._at]


def _path(line: str) -> str:
    return line[4:].partition("\t")[0].strip()


# --- carrying it out ------------------------------------------------------------------------------


class Misfit(Exception):
    """Report a hunk whose place was not found.

    Args:
        old: The lines that are not there, or are there more than once.
        lines: The lines where it would fit; empty when there are none.
    """

    def __init__(self, old: str, lines: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.old = old
        self.lines = lines


def apply(raw: str, hunks: tuple[Hunk, ...]) -> str:
    """Return a text with hunks carried out; every other line stays as it is.

    Raises:
        Misfit: A hunk does not fit, or fits more than once.
    """
    pieces = raw.split("\n")
    bare_end = pieces[-1] != ""
    ends = ["\r\n" if piece.endswith("\r") else "\n" for piece in pieces[:-1]]
    lines = [piece.removesuffix("\r") for piece in pieces[:-1]]
    if bare_end:
        lines.append(pieces[-1])
        ends.append("")
    usual = "\r\n" if 2 * ends.count("\r\n") > len(ends) else "\n"
    out: list[str] = []
    out_ends: list[str] = []
    cursor = shift = 0
    newline = not bare_end
    for hunk in hunks:
        start = _locate(lines, hunk, cursor, shift)
        if hunk.line:
            shift = start - (hunk.line - 1)
        out += lines[cursor:start]
        out_ends += ends[cursor:start]
        cursor = start
        for sign, text in hunk.lines:
            if sign == "+":
                out.append(text)
                out_ends.append(usual)
                continue
            if sign == " ":
                out.append(lines[cursor])
                out_ends.append(ends[cursor])
            cursor += 1
        if cursor == len(lines) and hunk.newline is not None:
            newline = hunk.newline
    out += lines[cursor:]
    out_ends += ends[cursor:]
    if out:
        out_ends = [end or usual for end in out_ends]
        out_ends[-1] = out_ends[-1] if newline else ""
    return "".join(text + end for text, end in zip(out, out_ends, strict=True))


def _locate(lines: list[str], hunk: Hunk, cursor: int, shift: int) -> int:
    """Return where a hunk goes, as an index of lines."""
    old = hunk.old
    if hunk.header:
        cursor = _behind_header(lines, hunk.header, cursor)
    wanted = hunk.line - 1 + shift
    if not old:
        if hunk.line:
            return min(max(wanted, cursor), len(lines))
        return cursor if hunk.header else len(lines)
    for form in _FORMS:
        formed = [form(line) for line in lines]
        goal = [form(line) for line in old]
        places = [
            start
            for start in range(cursor, len(lines) - len(old) + 1)
            if formed[start] == goal[0] and formed[start : start + len(old)] == goal
        ]
        if hunk.at_end:
            places = [start for start in places if start + len(old) == len(lines)] or places
        if not places:
            continue
        if hunk.line:
            return min(places, key=lambda start: abs(start - wanted))
        if len(places) > 1 and not hunk.header:
            raise Misfit("\n".join(old), tuple(start + 1 for start in places))
        return places[0]
    raise Misfit("\n".join(old))


def _behind_header(lines: list[str], header: str, cursor: int) -> int:
    for form in _FORMS:
        for index in range(cursor, len(lines)):
            if form(lines[index]) == form(header):
                return index + 1
    raise Misfit(header)
