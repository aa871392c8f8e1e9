"""What a grep collects: one page of results, and counts of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from nanobot_tool_files.lines import Chunk
from nanobot_tool_files.walking import MAX_CHARS

MOST_COUNTED = 10_000  # results behind the page that are counted before a search ends
_MAX_LINE = 2_000  # characters; longer lines are shown in part


@dataclass(kw_only=True, slots=True)
class Findings:
    """Results within an offset and a limit.

    Args:
        offset: Results to skip.
        limit: Most results to keep.
        before: Lines to show in front of a matching one.
        after: Lines to show behind a matching one.
        cut: The search ended when there was enough.
    """

    offset: int
    limit: int
    before: int = 0
    after: int = 0
    results: list[list[str]] = field(default_factory=list)
    total: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    cut: bool = False
    _room: int = MAX_CHARS

    @property
    def enough(self) -> bool:
        """Tell whether counting on would serve nobody."""
        return self.total > max(self.offset + self.limit, MOST_COUNTED)

    @property
    def full(self) -> bool:
        """Tell whether the page is full and something is known to follow."""
        return self.total > self.offset + self.limit

    def add(self, text: str) -> bool:
        """Count a result and keep it if it is on the page; tell whether it was."""
        self.total += 1
        kept = self.offset < self.total <= self.offset + self.limit and self._room > 0
        if kept:
            self.results.append([])
            self.extend(text)
        return kept

    def extend(self, text: str, *, at: int | None = None) -> None:
        """Add a line to the last result."""
        lines = self.results[-1]
        lines.insert(len(lines) if at is None else at, text)
        self._room -= len(text) + 1

    def skip(self, why: str) -> None:
        """Count a file that was not searched."""
        self.skipped[why] = self.skipped.get(why, 0) + 1

    @property
    def note(self) -> str:
        """Return which files were not searched."""
        if not self.skipped:
            return ""
        parts = (f"{count} {why}" for why, count in sorted(self.skipped.items()))
        return f"(Files left out: {', '.join(parts)}.)"


class FileLines:
    """Shows the matching lines of one file, with the lines around them.

    Args:
        findings: Where they go.
        name: Path to put in front of each line; empty for none.
    """

    def __init__(self, findings: Findings, name: str) -> None:
        self._findings = findings
        self._name = name
        self._tail: list[bytes] = []  # the last lines before the chunk
        self._shown = 0  # the last line that was shown, counted from 1
        self._owed = 0  # lines still to show behind a match

    def show(self, chunks: Iterable[Chunk]) -> None:
        """Take all matching lines of the file."""
        for chunk in chunks:
            if chunk.hits or self._owed:
                self._show_chunk(chunk)
            if self._findings.enough:
                return
            if self._findings.before:
                lines = chunk.data.removesuffix(b"\n").rsplit(b"\n", self._findings.before)
                self._tail = [*self._tail, *lines][-self._findings.before :]

    def _show_chunk(self, chunk: Chunk) -> None:
        lines = chunk.data.removesuffix(b"\n").split(b"\n")
        ahead = 0  # the first line that is not dealt with
        for hit in [*chunk.hits, len(lines)]:
            for index in range(ahead, min(hit, ahead + self._owed)):
                self._around(chunk.before + index + 1, lines[index])
            self._owed -= min(hit - ahead, self._owed)
            ahead = hit + 1
            if hit == len(lines):
                break
            number = chunk.before + hit + 1
            if not self._findings.add(self._line(number, lines[hit], ":")):
                continue
            self._lead_in(number, hit, lines)
            self._shown = number
            self._owed = self._findings.after

    def _lead_in(self, number: int, hit: int, lines: list[bytes]) -> None:
        """Put the lines before a match in front of it."""
        count = min(self._findings.before, number - 1 - self._shown)
        known = [*self._tail, *lines[:hit]] if count > hit else lines[:hit]
        near = known[len(known) - count :] if count else []
        first = number - len(near)
        around = self._findings.before or self._findings.after
        if around and self._shown and first > self._shown + 1:
            self._findings.extend("--", at=0)
        for place, line in enumerate(near):
            where = len(self._findings.results[-1]) - 1
            self._findings.extend(self._line(first + place, line, "-"), at=where)

    def _around(self, number: int, line: bytes) -> None:
        self._findings.extend(self._line(number, line, "-"))
        self._shown = number

    def _line(self, number: int, line: bytes, mark: str) -> str:
        text = line[: _MAX_LINE * 4].decode(errors="replace")
        if len(text) > _MAX_LINE:
            text = f"{text[:_MAX_LINE]} ... (line is cut)"
        return f"{self._name}{mark if self._name else ''}{number}{mark} {text}"
