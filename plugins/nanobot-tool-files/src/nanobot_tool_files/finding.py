"""list_dir, find_files and glob: what there is, by name."""

from __future__ import annotations

from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn
from nanobot_security import Disk, Entry

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.globs import path_filter
from nanobot_tool_files.walking import Limits, Stop, Walk, beyond, page, shown_path, trust_of

LIST_ENTRIES = 200
FIND_RESULTS = 200
MOST_RESULTS = 1_000
_MOST_COUNTED = 100_000  # results that are counted, or sorted by time, before a search gives up


class Finder:
    """Serves list_dir, find_files and glob.

    Args:
        limits: What holds for every walk.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def list_dir(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """List a folder, or the tree below it."""
        folder = arguments.folder()
        most = arguments.number("max_entries", LIST_ENTRIES, least=1, most=5_000)
        notes: list[str] = []
        if arguments.flag("recursive"):
            walk = Walk(Disk.of(turn.workspace), folder, self._limits, stop)
            lines = []
            for entry, _ in walk.entries():
                lines.append(_name(entry))
                if len(lines) > most:
                    break
            notes.append(walk.note)
        else:
            entries = Disk.of(turn.workspace).list(folder)
            hidden = [_name(entry) for entry in entries if self._limits.ignores(entry)]
            lines = [_name(e) for e in entries if not self._limits.ignores(e)]
            if hidden:
                notes.append(f"(Not shown: {', '.join(hidden[:20])})")
        if len(lines) > most:
            notes.insert(0, f"(Only the first {most} entries are shown; raise max_entries.)")
        shown = lines[:most]
        text = page(shown, total=len(shown), offset=0, more=False, notes=notes)
        return ToolResult.ok(
            text if lines else "\n".join([f"(Empty folder: {folder})", *filter(None, notes)]),
            trust=trust_of(Disk.of(turn.workspace), folder),
        )

    def find(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Find files by words, pattern and type."""
        folder = arguments.folder()
        fits = path_filter(arguments.text("glob", ""), arguments.text("type", ""))
        terms = arguments.text("query", "").casefold().split()
        newest = arguments.choice("sort", "path", "modified") == "modified"
        with_folders = arguments.flag("include_dirs")
        limit = arguments.number("head_limit", FIND_RESULTS, least=0, most=MOST_RESULTS)
        offset = arguments.number("offset", 0, least=0)
        walk = Walk(Disk.of(turn.workspace), folder, self._limits, stop)
        found: list[Entry] = []
        for entry, _ in walk.entries():
            wanted = with_folders if entry.kind == "dir" else entry.kind in ("file", "link")
            if wanted and _has(entry.path, terms) and fits(entry.path):
                found.append(entry)
                if len(found) > _MOST_COUNTED:
                    break
        if newest:
            found.sort(key=lambda entry: (-entry.mtime, entry.path))
        more = len(found) > _MOST_COUNTED
        if found and offset >= len(found):
            raise beyond(offset, len(found))
        shown = found[offset : offset + (limit or MOST_RESULTS)]
        text = page(
            [_path(folder, entry) for entry in shown],
            total=len(found) - more,
            offset=offset,
            more=more,
            notes=[walk.note],
        )
        return ToolResult.ok(
            text if found else "\n".join(filter(None, ["No files found.", walk.note])),
            trust=trust_of(Disk.of(turn.workspace), folder),
        )

    def glob(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Find files by a pattern alone."""
        pattern = arguments.text("pattern")
        if not pattern.strip():
            raise ToolError("'pattern' must not be empty.", kind="bad_pattern")
        return self.find(Arguments({"glob": pattern, "path": arguments.folder()}), turn, stop)


def _name(entry: Entry) -> str:
    """Return how a listing shows an entry."""
    marks = {"dir": "/", "link": " (link)", "other": " (special file)"}
    return entry.path + marks.get(entry.kind, "")


def _path(folder: str, entry: Entry) -> str:
    """Return the path of an entry as other tools take it."""
    return shown_path(folder, entry.path) + ("/" if entry.kind == "dir" else "")


def _has(path: str, terms: list[str]) -> bool:
    lower = path.casefold()
    return all(term in lower for term in terms)
