"""Finding the lines of a file that match, chunk by chunk and in bounded time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, BinaryIO

from nanobot_tool_files.walking import Stop, check

_PROBE = 1 << 10  # bytes
_CHUNK = 1 << 18
_MAX_LINE = 1 << 20  # a longer line is searched in pieces
_HITS_BETWEEN_LOOKS = 1_000


class TooSlow(Exception):
    """Report that a pattern takes too long on a file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Some whole lines of a file.

    Args:
        before: Number of lines in front of them.
        data: The lines.
        hits: Which of them match, counted from 0.
    """

    before: int
    data: bytes
    hits: list[int]


class Matcher:
    """Searches files for one pattern.

    Args:
        pattern: From `compile_pattern`.
        seconds: Longest time for one file.
        stop: Tells whether the call was cancelled.
    """

    def __init__(self, pattern: Any, seconds: float, stop: Stop) -> None:
        self._pattern = pattern
        self._seconds = seconds
        self._stop = stop

    def chunks(self, file: BinaryIO, *, first: bool = False) -> Iterator[Chunk]:
        """Yield a file with its matching lines; `TooSlow` when its time is over.

        A search can not be interrupted, but its time is linear in the text. So a short piece is
        searched first, and nothing is begun that would not end in time.

        Args:
            file: The file.
            first: Look for no more than one line of each chunk.
        """
        end = monotonic() + self._seconds
        pace = 0.0
        before = 0
        for data in _pieces(file):
            check(self._stop)
            start = monotonic()
            if before == 0:
                self._pattern.search(data[:_PROBE])
                pace = (monotonic() - start) / min(len(data), _PROBE)
            if start + pace * len(data) > end:
                raise TooSlow
            hits = self._hits(data, end, first=first)
            pace = (monotonic() - start) / len(data)
            yield Chunk(before=before, data=data, hits=hits)
            before += data.count(b"\n")

    def _hits(self, data: bytes, end: float, *, first: bool) -> list[int]:
        hits: list[int] = []
        at = line = 0
        while at < len(data):
            match = self._pattern.search(data, at)
            if match is None:
                break
            found = match.start()
            if found == len(data) and data.endswith(b"\n"):
                break  # behind the last line
            line += data.count(b"\n", at, found)
            hits.append(line)
            if len(hits) % _HITS_BETWEEN_LOOKS == 0:
                check(self._stop)
                if monotonic() > end:
                    raise TooSlow
            line_end = data.find(b"\n", found)
            if line_end < 0 or first:
                break
            at = line_end + 1
            line += 1
        return hits


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield a file in pieces that end where a line ends."""
    rest = b""
    while data := file.read(_CHUNK):
        data = rest + data
        cut = data.rfind(b"\n") + 1
        if cut == 0:
            if len(data) < _MAX_LINE:
                rest = data
                continue
            cut = len(data)
        rest = data[cut:]
        yield data[:cut].replace(b"\r\n", b"\n")
    if rest:
        yield rest
