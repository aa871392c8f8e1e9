"""grep: lines that match, over one file or a folder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO

from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Trust, Turn
from nanobot_security import Disk, Entry

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.content import HEAD, binary, is_binary
from nanobot_tool_files.findings import FileLines, Findings
from nanobot_tool_files.globs import Matches, path_filter
from nanobot_tool_files.lines import Matcher, TooSlow
from nanobot_tool_files.patterns import compile_pattern
from nanobot_tool_files.walking import Limits, Stop, Walk, beyond, page, shown_path, trust_of

HEAD_LIMIT = 250
MOST_RESULTS = 10_000
MAX_FILE_IN_FOLDER = 2 * 1024 * 1024
MAX_FILE_NAMED = 100 * 1024 * 1024
FILE_SECONDS = 1.5
_MODES = ("files_with_matches", "content", "count")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Query:
    """What one call asks for."""

    path: str
    mode: str
    matcher: Matcher
    findings: Findings


class Searcher:
    """Serves grep.

    Args:
        limits: What holds for every walk.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits

    def grep(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Search one file, or the files below a folder."""
        query = _query(arguments, stop)
        if Disk.of(turn.workspace).stat(query.path).kind == "dir":
            fits = path_filter(arguments.text("glob", ""), arguments.text("type", ""))
            walk = Walk(Disk.of(turn.workspace), query.path, self._limits, stop)
            self._search_folder(query, walk, fits)
            return _result(query, walk.note, trust_of(Disk.of(turn.workspace), query.path))
        opened = Disk.of(turn.workspace).open(query.path)
        with opened.file:
            if opened.stat.size > MAX_FILE_NAMED:
                raise ToolError(
                    f"'{query.path}' has {opened.stat.size:,} bytes; at most {MAX_FILE_NAMED:,} "
                    "can be searched.",
                    kind="too_large",
                    target=query.path,
                )
            trust = Trust.TRUSTED if opened.inside else Trust.UNTRUSTED
            try:
                if not _search_file(query, opened.file, name=""):
                    raise binary(query.path)
            except TooSlow:
                raise ToolError(
                    f"the pattern takes too long on '{query.path}'; make it simpler.",
                    kind="timeout",
                    target=query.path,
                ) from None
        return _result(query, "", trust)

    def _search_folder(self, query: _Query, walk: Walk, fits: Matches) -> None:
        findings = query.findings

        def leave_out(entry: Entry) -> bool:
            if entry.kind != "file" or not fits(entry.path):
                return True
            if entry.size > MAX_FILE_IN_FOLDER:
                findings.skip("larger than 2 MB")
            return entry.size > MAX_FILE_IN_FOLDER

        for entry, file in walk.entries(contents=True, leave_out=leave_out):
            if entry.kind == "dir":
                continue
            if file is None:
                findings.skip("that may not be read (permissions, or several hard links)")
                continue
            try:
                if not _search_file(query, file, name=shown_path(query.path, entry.path)):
                    findings.skip("binary")
            except TooSlow:
                findings.skip("on which the pattern is too slow")
            if findings.enough:
                return


def _query(arguments: Arguments, stop: Stop) -> _Query:
    pattern = arguments.text("pattern")
    if not pattern:
        raise ToolError("'pattern' must not be empty.", kind="bad_pattern")
    mode = arguments.choice("output_mode", *_MODES)
    content = mode == "content"
    older = "max_matches" if content else "max_results"
    default = arguments.number(older, HEAD_LIMIT, least=1, most=MOST_RESULTS)
    limit = arguments.number("head_limit", default, least=0, most=MOST_RESULTS)
    before = arguments.number("context_before", 0, least=0, most=20)
    after = arguments.number("context_after", 0, least=0, most=20)
    compiled = compile_pattern(
        pattern,
        fixed=arguments.flag("fixed_strings"),
        ignore_case=arguments.flag("case_insensitive"),
    )
    return _Query(
        path=arguments.folder(),
        mode=mode,
        matcher=Matcher(compiled, FILE_SECONDS, stop),
        findings=Findings(
            offset=arguments.number("offset", 0, least=0),
            limit=limit or MOST_RESULTS,
            before=before if content else 0,
            after=after if content else 0,
        ),
    )


def _search_file(query: _Query, file: BinaryIO, *, name: str) -> bool:
    """Search one file; false when it is binary."""
    if is_binary(file.peek(HEAD)[:HEAD]):  # type: ignore[attr-defined]
        return False
    chunks = query.matcher.chunks(file, first=query.mode == "files_with_matches")
    if query.mode == "content":
        FileLines(query.findings, name).show(chunks)
        return True
    label = name or query.path
    if query.mode == "count":
        count = sum(len(chunk.hits) for chunk in chunks)
        if count:
            query.findings.add(f"{label}: {count}")
    elif any(chunk.hits for chunk in chunks):
        query.findings.add(label)
    return True


def _result(query: _Query, note: str, trust: Trust) -> ToolResult:
    findings = query.findings
    notes = [note, findings.note]
    if not findings.total:
        return ToolResult.ok("\n".join(filter(None, ["No matches found.", *notes])), trust=trust)
    if not findings.results:
        raise beyond(findings.offset, findings.total)
    lines = ["\n".join(result) for result in findings.results]
    return ToolResult.ok(
        page(
            lines, total=findings.total, offset=findings.offset, more=findings.enough, notes=notes
        ),
        trust=trust,
    )
