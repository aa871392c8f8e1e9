"""write_file and edit_file."""

from __future__ import annotations

from nanobot.errors import ToolError
from nanobot.messages import Text, ToolResult, Trust, Turn

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.changes import Changes, Current, view_of
from nanobot_tool_files.content import encode
from nanobot_tool_files.document import Document
from nanobot_tool_files.matching import Match, find, replacement
from nanobot_tool_files.nearest import explain
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.walking import Stop, check

_SELECTORS = ("replace_all", "occurrence", "line_hint", "expected_replacements")
_LISTED = 10


class Editor:
    """Serves write_file and edit_file.

    Args:
        seen: What sessions have read.
        changes: The way to the disk.
    """

    def __init__(self, seen: SeenFiles, changes: Changes) -> None:
        self._seen = seen
        self._changes = changes

    def write(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Create or replace a whole file."""
        path, content = arguments.text("path"), arguments.text("content")
        data = encode(path, content)
        with self._changes.batch(turn) as files:
            check(stop)
            current = files.read(path)
            if current is not None and current.data not in (None, data):
                given = arguments.text("view", "")
                self._seen.check_whole(turn, path, view_of(current.data), given=given)
            files.write(path, data)
        self._seen.note_write(turn, path, view_of(data))
        return ToolResult.ok(f"Successfully wrote {len(content)} characters to {path}")

    def edit(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Replace pieces of a text file."""
        path, old = arguments.text("path"), arguments.text("old_text")
        new = arguments.text("new_text").replace("\r\n", "\n")
        old = old.replace("\r\n", "\n")
        _check_selectors(arguments)
        if old == new:
            raise ToolError("old_text and new_text are the same.", kind="no_change", target=path)
        with self._changes.batch(turn) as files:
            check(stop)
            if not old:
                data, answer = _fill(path, new, files.read(path))
            else:
                current = files.existing(path)
                data, answer = self._replace(path, current, old, new, arguments, turn)
            files.write(path, data)
        self._seen.note_write(turn, path, view_of(data))
        return ToolResult.ok(answer)

    def _replace(
        self,
        path: str,
        current: Current,
        old: str,
        new: str,
        arguments: Arguments,
        turn: Turn,
    ) -> tuple[bytes, str]:
        content = current.content(path)
        given = arguments.text("view", "")
        warning = self._seen.warning(turn, path, view_of(content), given=given)
        document = Document.load(path, content)
        matches = find(document.text, old)
        if not matches:
            raise NoMatch(path, explain(path, document.text, old), inside=current.inside)
        chosen = _choose(path, matches, arguments)
        changed = document.replace([change(document.text, match, old, new) for match in chosen])
        places = ", ".join(str(match.line) for match in chosen[:_LISTED])
        more = ", ..." if len(chosen) > _LISTED else ""
        count = "1 replacement" if len(chosen) == 1 else f"{len(chosen)} replacements"
        lines = "line" if len(chosen) == 1 else "lines"
        answer = f"{warning}Successfully edited {path} ({count}, {lines} {places}{more})"
        return document.encode(path, changed), answer


class NoMatch(ToolError):
    """Report that a text is not in a file, with what is there instead.

    Args:
        inside: The file lies in the workspace; what is shown of it is untrusted otherwise.
    """

    kind = "no_match"

    def __init__(self, path: str, message: str, *, inside: bool) -> None:
        super().__init__(message, target=path)
        self.inside = inside

    @property
    def result(self) -> ToolResult:
        """Return the error result; an error alone could not say how far to trust it."""
        trust = Trust.TRUSTED if self.inside else Trust.UNTRUSTED
        return ToolResult(
            parts=(Text(text=self.message, trust=trust),), kind=self.kind, target=self.target
        )


def _fill(path: str, new: str, current: Current | None) -> tuple[bytes, str]:
    """Create a missing file, or fill an empty one."""
    if current is not None and current.data != b"":
        raise ToolError(
            f"old_text is empty but '{path}' is not; give the text to replace, or use "
            "write_file to replace the whole file.",
            kind="exists",
            target=path,
        )
    return encode(path, new), f"Successfully wrote {len(new)} characters to {path}"


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


def change(text: str, match: Match, old: str, new: str) -> tuple[int, int, str]:
    """Return what to replace by what; deleting whole lines takes their last newline along."""
    end = match.end
    from_start = match.start == 0 or text[match.start - 1] == "\n"
    if not new and from_start and text[end - 1] != "\n" and text.startswith("\n", end):
        end += 1
    return match.start, end, replacement(text, match, old, new)
