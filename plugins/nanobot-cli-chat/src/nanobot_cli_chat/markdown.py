"""Streamed text cut into pieces that can be printed once and for all.

A splitter is fed a stream and hands back the blocks that can no longer change; what is still open
can be asked for. Only complete lines decide where a block ends, so the same text gives the same
blocks in whatever chunks it arrives, and each character is looked at a fixed number of times.
"""

from __future__ import annotations

import re
from typing import Protocol

_FENCE = re.compile(r" {0,3}(`{3,}(?!.*`)|~{3,})")
_MARKER = re.compile(r"( {0,3})([-+*]|\d{1,9}[.)])([ \t]+|$)")
_RULE = re.compile(r" {0,3}([-*_])(?:[ \t]*\1){2,}[ \t]*$")
_INTERRUPTING = {"-", "+", "*", "1.", "1)"}
_QUOTE_OR_HEADING = re.compile(r" {0,3}(>|#{1,6}([ \t]|$))")
_TABLE_RULE = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*$")

_NO_ROOM = 1_000_000  # more than any line is indented


class Splitter(Protocol):
    """What turns a stream into finished pieces."""

    def feed(self, text: str) -> list[str]:
        """Take more of the stream and return the pieces that it finished."""
        ...

    def finish(self) -> list[str]:
        """Return what is left when the stream is over."""
        ...

    def tail(self, rows: int, columns: int) -> str:
        """Return the open piece, or so much of its end as fills the given room."""
        ...


def _indent(line: str) -> int:
    """Return the width of the leading white space; a tab reaches to the next multiple of four."""
    width = 0
    for character in line:
        if character == "\t":
            width += 4 - width % 4
        elif character == " ":
            width += 1
        else:
            break
    return width


class LineSplitter:
    """Cuts raw text at its newlines."""

    def __init__(self) -> None:
        self._partial: list[str] = []

    def feed(self, text: str) -> list[str]:
        """Return the lines that the text completes, each with its newline."""
        first, *others = text.split("\n")
        self._partial.append(first)
        if not others:
            return []
        lines = ["".join(self._partial), *others]
        self._partial = [lines.pop()]
        return [f"{line}\n" for line in lines]

    def finish(self) -> list[str]:
        """Return the last line when it has no newline."""
        rest = "".join(self._partial)
        self._partial.clear()
        return [rest] if rest else []

    def tail(self, rows: int, columns: int) -> str:
        """Return the end of the line that is still growing."""
        return "".join(self._partial)[-rows * columns :]


class BlockSplitter:
    """Cuts markdown between its top-level blocks.

    A cut is made only where every markdown parser sees a boundary: after a closing fence, before
    an opening one, and where a blank line is followed by something that can not belong to what
    stands above it. A list is one block, with all that is nested in it.
    """

    def __init__(self) -> None:
        self._partial = LineSplitter()
        self._lines: list[str] = []
        self._blank = True
        """No line of the open block has anything in it."""
        self._gap = False
        """The last line was blank."""
        self._fence = ""
        """The run of characters that opened the fence we are in."""
        self._item = 0
        """Column where the text of the list item starts that we are in; 0 outside of lists."""
        self._hollow = False
        """The last line starts an item and has no text; a blank line now ends the item."""

    def feed(self, text: str) -> list[str]:
        """Return the blocks that the text finishes, blank lines included."""
        blocks = []
        for line in self._partial.feed(text):
            blocks += self._line(line)
        return blocks

    def finish(self) -> list[str]:
        """Return the block that the end of the text finishes."""
        blocks = []
        for line in self._partial.finish():
            blocks += self._line(line)
        return blocks + self._cut()

    def tail(self, rows: int, columns: int) -> str:
        """Return the open block; of a long one, its head and so much of its end as fills rows."""
        partial = self._partial.tail(rows, columns)
        room = rows * columns
        kept: list[str] = []
        for line in reversed(self._lines):
            if room <= 0:
                break
            kept.insert(0, line[-room:])
            room -= max(len(line), columns)
        missing = len(self._lines) - len(kept)
        return "".join([*self._head(missing), *kept, partial])

    def _head(self, missing: int) -> list[str]:
        """Return the lines that make the others what they are, of those that are missing."""
        if self._fence:
            return [line for line in self._lines[:missing] if line.strip()][:1]
        if len(self._lines) > 1 and _TABLE_RULE.match(self._lines[1]):
            return self._lines[: min(missing, 2)]
        return []

    def _cut(self) -> list[str]:
        block = "".join(self._lines)
        self._lines.clear()
        self._blank, self._gap, self._fence, self._item = True, False, "", 0
        self._hollow = False
        return [block] if block else []

    def _line(self, line: str) -> list[str]:
        """Take a complete line and return the blocks that it ends."""
        text = line.rstrip(" \t\n")
        if self._fence:
            self._lines.append(line)
            closing = text.lstrip(" ")
            closes = len(closing) >= len(self._fence) and not closing.strip(self._fence[0])
            return self._cut() if closes and _indent(line) < 4 else []
        if not text:
            self._lines.append(line)
            self._gap = True
            if self._hollow:
                self._item = _NO_ROOM
            return []
        ended = self._cut() if self._begins_block(line, text) else []
        self._note(line, text)
        self._lines.append(line)
        self._blank = self._gap = False
        return ended

    def _begins_block(self, line: str, text: str) -> bool:
        """Tell whether a line can not belong to the open block."""
        if self._blank:
            return False
        nested = self._item and _indent(line) >= self._item
        if _FENCE.match(text):
            return not nested
        if not self._gap or nested:
            return False
        if self._item:
            return not self._starts_item(text)
        return _indent(line) < 4  # an indented line may go on with a code block

    def _starts_item(self, text: str) -> bool:
        return bool(_MARKER.match(text)) and not _RULE.match(text)

    def _note(self, line: str, text: str) -> None:
        """Remember what the line opens."""
        self._hollow = False
        if self._item and _indent(line) >= self._item:
            return
        if fence := _FENCE.match(text):
            self._fence = fence[1]
        elif (marker := _MARKER.match(text)) and self._starts_item(text):
            rest = text[marker.end() :]
            interrupts = rest and marker[2] in _INTERRUPTING
            if self._blank or self._gap or self._item or interrupts:
                gap = len(text[: marker.end()].expandtabs(4)) - marker.end(2)
                self._item = marker.end(2) + (gap if rest and gap < 5 else 1)
                self._hollow = not rest
        elif _QUOTE_OR_HEADING.match(text) or _RULE.match(text):
            self._item = 0
