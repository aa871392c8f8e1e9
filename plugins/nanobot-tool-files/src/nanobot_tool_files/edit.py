"""write_file and edit_file."""

from __future__ import annotations

import threading
from bisect import bisect_left
from dataclasses import dataclass

from nanobot.errors import ToolError
from nanobot.messages import Text, ToolResult, Trust, Turn
from nanobot_security import Disk

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.content import BOM, encode, encoding_of
from nanobot_tool_files.matching import Match, find, replacement
from nanobot_tool_files.nearest import explain
from nanobot_tool_files.reading import MAX_FILE
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.walking import Stop, check

_SELECTORS = ("replace_all", "occurrence", "line_hint", "expected_replacements")
_LISTED = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class _Document:
    """A text file, with line ends taken away for matching and kept for writing.

    Args:
        raw: The text as it is, without a byte order mark.
        text: The same with every line ended by one newline character.
        pairs: Positions in `text` of the newlines that are two characters in `raw`.
        encoding: How to write it.
        bom: True when the file starts with a byte order mark.
    """

    raw: str
    text: str
    pairs: tuple[int, ...]
    encoding: str
    bom: bool

    @classmethod
    def load(cls, path: str, data: bytes) -> _Document:
        bom = data.startswith(BOM)
        body = data.removeprefix(BOM)
        encoding = encoding_of(path, body)
        raw = body.decode(encoding)
        pairs: list[int] = []
        at = raw.find("\r\n")
        while at >= 0:
            pairs.append(at - len(pairs))
            at = raw.find("\r\n", at + 2)
        text = raw.replace("\r\n", "\n")
        return cls(raw=raw, text=text, pairs=tuple(pairs), encoding=encoding, bom=bom)

    def replace(self, changes: list[tuple[int, int, str]]) -> str:
        """Return the raw text with pieces replaced; the rest keeps its line ends."""
        line_end = "\r\n" if 2 * len(self.pairs) > self.text.count("\n") else "\n"
        out = []
        done = 0
        for start, end, new in changes:
            out += [self.raw[done : self._raw(start)], new.replace("\n", line_end)]
            done = self._raw(end)
        return "".join([*out, self.raw[done:]])

    def _raw(self, position: int) -> int:
        return position + bisect_left(self.pairs, position)


class Editor:
    """Serves write_file and edit_file.

    Args:
        seen: What sessions have read.
    """

    def __init__(self, seen: SeenFiles) -> None:
        self._seen = seen
        self._lock = threading.Lock()  # two turns that edit one file do not undo each other

    def write(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Create or replace a whole file."""
        path, content = arguments.text("path"), arguments.text("content")
        data = encode(path, content)
        with self._lock:
            check(stop)
            Disk.of(turn.workspace).write(path, data)
            self._seen.note_write(turn, path)
        return ToolResult.ok(f"Successfully wrote {len(content)} characters to {path}")

    def edit(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Replace pieces of a text file."""
        path, old = arguments.text("path"), arguments.text("old_text")
        new = arguments.text("new_text").replace("\r\n", "\n")
        old = old.replace("\r\n", "\n")
        _check_selectors(arguments)
        if old == new:
            raise ToolError("old_text and new_text are the same.", kind="no_change", target=path)
        with self._lock:
            check(stop)
            if not old:
                return self._fill(path, new, turn)
            return self._replace(path, old, new, arguments, turn)

    def _fill(self, path: str, new: str, turn: Turn) -> ToolResult:
        """Create a missing file, or fill an empty one."""
        try:
            size = Disk.of(turn.workspace).stat(path).size
        except ToolError as error:
            if error.kind != "not_found":
                raise
            size = 0
        if size:
            raise ToolError(
                f"old_text is empty but '{path}' is not; give the text to replace, or use "
                "write_file to replace the whole file.",
                kind="exists",
                target=path,
            )
        Disk.of(turn.workspace).write(path, encode(path, new))
        self._seen.note_write(turn, path)
        return ToolResult.ok(f"Successfully wrote {len(new)} characters to {path}")

    def _replace(
        self, path: str, old: str, new: str, arguments: Arguments, turn: Turn
    ) -> ToolResult:
        opened = Disk.of(turn.workspace).open(path)
        with opened.file:
            warning = self._seen.warning(turn, path, opened.stat)
            if opened.stat.size > MAX_FILE:
                raise ToolError(
                    f"'{path}' has {opened.stat.size:,} bytes; edit_file takes {MAX_FILE:,}.",
                    kind="too_large",
                    target=path,
                )
            data = opened.file.read(MAX_FILE)
        document = _Document.load(path, data)
        matches = find(document.text, old)
        if not matches:
            trust = Trust.TRUSTED if opened.inside else Trust.UNTRUSTED
            shown = Text(text=explain(path, document.text, old), trust=trust)
            return ToolResult(parts=(shown,), kind="no_match", target=path)
        chosen = _choose(path, matches, arguments)
        changed = document.replace([_change(document.text, match, old, new) for match in chosen])
        body = encode(path, changed, document.encoding)
        Disk.of(turn.workspace).write(path, BOM + body if document.bom else body)
        self._seen.note_write(turn, path)
        places = ", ".join(str(match.line) for match in chosen[:_LISTED])
        more = ", ..." if len(chosen) > _LISTED else ""
        count = "1 replacement" if len(chosen) == 1 else f"{len(chosen)} replacements"
        lines = "line" if len(chosen) == 1 else "lines"
        return ToolResult.ok(
            f"{warning}Successfully edited {path} ({count}, {lines} {places}{more})"
        )


def _check_selectors(arguments: Arguments) -> None:
    given = [name for name in _SELECTORS if name in arguments]
    if not arguments.flag("replace_all") and "replace_all" in given:
        given.remove("replace_all")
    if len(given) > 1 and given != ["replace_all", "expected_replacements"]:
        raise ToolError(
            f"{' and '.join(given)} exclude each other; give only one.", kind="bad_argument"
        )


def _choose(path: str, matches: list[Match], arguments: Arguments) -> list[Match]:
    """Return the occurrences that the selectors name."""
    lines = ", ".join(str(match.line) for match in matches[:_LISTED])
    more = ", ..." if len(matches) > _LISTED else ""
    found = f"old_text occurs {len(matches)} times in '{path}' (lines {lines}{more})"
    if "expected_replacements" in arguments:
        expected = arguments.number("expected_replacements", 1, least=1)
        if expected != len(matches):
            raise _ambiguous(path, f"{found}, not {expected} times; nothing was changed.")
        return matches
    if arguments.flag("replace_all"):
        return matches
    if "occurrence" in arguments:
        wanted = arguments.number("occurrence", 1, least=1)
        if wanted > len(matches):
            raise _ambiguous(path, f"{found}; there is no occurrence {wanted}.")
        return [matches[wanted - 1]]
    if "line_hint" in arguments:
        hint = arguments.number("line_hint", 1, least=1)
        ranked = sorted(matches, key=lambda match: abs(match.line - hint))
        tied = len(ranked) > 1 and abs(ranked[0].line - hint) == abs(ranked[1].line - hint)
        if tied:
            raise _ambiguous(path, f"{found}, and two are equally near to line {hint}.")
        return ranked[:1]
    if len(matches) > 1:
        raise _ambiguous(
            path,
            f"{found}. Add lines around it to make it unique, or set occurrence, line_hint or "
            "replace_all.",
        )
    return matches


def _ambiguous(path: str, message: str) -> ToolError:
    return ToolError(message, kind="ambiguous", target=path)


def _change(text: str, match: Match, old: str, new: str) -> tuple[int, int, str]:
    """Return what to replace by what; deleting whole lines takes their last newline along."""
    end = match.end
    from_start = match.start == 0 or text[match.start - 1] == "\n"
    if not new and from_start and text[end - 1] != "\n" and text.startswith("\n", end):
        end += 1
    return match.start, end, replacement(text, match, old, new)
