"""grep: lines that match, over one file or a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import BinaryIO

from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Trust, Turn
from nanobot_security import Disk, Entry

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.content import HEAD, binary, is_binary
from nanobot_tool_files.findings import FileLines, Findings
from nanobot_tool_files.globs import Matches, endings_of, path_filter
from nanobot_tool_files.lines import Matcher, TooSlow
from nanobot_tool_files.patterns import compile_pattern
from nanobot_tool_files.ripgrep import Candidates, Ripgrep, translate
from nanobot_tool_files.walking import Limits, Stop, Walk, beyond, page, shown_path, trust_of

HEAD_LIMIT = 250
MOST_RESULTS = 10_000
MAX_FILE_IN_FOLDER = 2 * 1024 * 1024
MAX_FILE_NAMED = 100 * 1024 * 1024
FILE_SECONDS = 1.5
_TOO_LARGE = "larger than 2 MB"
_MODES = ("files_with_matches", "content", "count")


Candidate = tuple[str, BinaryIO | None]
"""A path below the folder, and its open file; None for one that may not be read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Query:
    """What one call asks for."""

    path: str
    pattern: str
    fixed: bool
    ignore_case: bool
    kind: str
    fits: Matches
    mode: str
    matcher: Matcher
    findings: Findings


class Searcher:
    """Serves grep.

    Args:
        limits: What holds for every walk.
        program: Path of ripgrep; empty to do without.
    """

    def __init__(self, limits: Limits, program: str) -> None:
        self._limits = limits
        self._program = program

    def grep(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Search one file, or the files below a folder."""
        query = _query(arguments, stop)
        disk = Disk.of(turn.workspace)
        if disk.stat(query.path).kind == "dir":
            return self._grep_folder(query, disk, stop)
        opened = disk.open(query.path)
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

    def _grep_folder(self, query: _Query, disk: Disk, stop: Stop) -> ToolResult:
        trust = trust_of(disk, query.path)
        walk = Walk(disk, query.path, self._limits, stop)
        found = self._ask_ripgrep(query, disk, stop)
        if found is None:
            self._search(query, self._walked(query, walk))
        else:
            self._search(query, self._named(query, disk, found, walk))
        return _result(query, walk.note, trust)

    def _ask_ripgrep(self, query: _Query, disk: Disk, stop: Stop) -> Candidates | None:
        """Return the files that seem to match; None when each must be looked at."""
        pattern = query.pattern if query.fixed else translate(query.pattern)
        if not self._program or pattern is None or not disk.is_inside(query.path):
            return None
        options = ["--fixed-strings"] * query.fixed + ["--ignore-case"] * query.ignore_case
        search = Ripgrep(self._program, self._limits, stop)
        return search.files(disk, query.path, pattern, options, endings_of(query.kind))

    def _walked(self, query: _Query, walk: Walk) -> Iterator[Candidate]:
        """Open every file below the folder."""

        def leave_out(entry: Entry) -> bool:
            if entry.kind != "file" or not query.fits(entry.path):
                return True
            if entry.size > MAX_FILE_IN_FOLDER:
                query.findings.skip(_TOO_LARGE)
            return entry.size > MAX_FILE_IN_FOLDER

        for entry, file in walk.entries(contents=True, leave_out=leave_out):
            if entry.kind != "dir":
                yield entry.path, file

    def _named(
        self, query: _Query, disk: Disk, found: Candidates, walk: Walk
    ) -> Iterator[Candidate]:
        """Open the files that ripgrep has named."""
        for path in walk.in_time(found.paths):
            if not query.fits(path):
                continue
            try:
                opened = disk.open(shown_path(query.path, path))
            except ToolError:
                yield path, None
                continue
            with opened.file:
                if opened.stat.size > MAX_FILE_IN_FOLDER:
                    query.findings.skip(_TOO_LARGE)
                else:
                    yield path, opened.file
        walk.late = walk.late or found.late

    def _search(self, query: _Query, files: Iterator[Candidate]) -> None:
        findings = query.findings
        with closing(files):  # type: ignore[type-var]
            for path, file in files:
                if findings.full:
                    findings.cut = True
                    return
                if file is None:
                    findings.skip("that may not be read (permissions, or several hard links)")
                    continue
                try:
                    if not _search_file(query, file, name=shown_path(query.path, path)):
                        findings.skip("binary")
                except TooSlow:
                    findings.skip("on which the pattern is too slow")


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
    fixed, ignore_case = arguments.flag("fixed_strings"), arguments.flag("case_insensitive")
    compiled = compile_pattern(pattern, fixed=fixed, ignore_case=ignore_case)
    kind = arguments.text("type", "")
    return _Query(
        path=arguments.folder(),
        pattern=pattern,
        fixed=fixed,
        ignore_case=ignore_case,
        kind=kind,
        fits=path_filter(arguments.text("glob", ""), kind),
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
            lines,
            total=findings.total,
            offset=findings.offset,
            more=findings.enough or findings.cut,
            notes=notes,
        ),
        trust=trust,
    )
