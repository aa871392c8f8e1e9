"""Cuts a text into messages that a platform takes, at places where a reader would cut it."""

from __future__ import annotations

import re
from collections.abc import Callable

from nanobot_gateway.specs import Unit

_FENCE = re.compile(r"^(`{3,}|~{3,})(.*)$", re.MULTILINE)
_LENGTHS: dict[Unit, Callable[[str], int]] = {
    "characters": len,
    "utf16": lambda text: len(text) + sum(ord(c) > 0xFFFF for c in text),
    "bytes": lambda text: len(text.encode("utf-8", "surrogatepass")),
}
_BREAKS = ("\n\n", "\n", ". ", " ")


def length(text: str, unit: Unit) -> int:
    """Return how long a text is, as a platform counts."""
    return _LENGTHS[unit](text)


def split(text: str, limit: int, unit: Unit = "characters") -> list[str]:
    """Cut a text into pieces of at most `limit`.

    A piece ends at the end of a paragraph, line, sentence or word, in this order of liking, and
    never inside what a reader sees as one character. A code block that is cut is closed in one
    piece and opened again, with its language, in the next.

    Args:
        limit: Greatest length of a piece, 0 for no limit.
        unit: How the platform counts.
    """
    pieces: list[str] = []
    rest, opened = text, ""
    while limit and length(opened + rest, unit) > limit:
        closing = len("\n```~~~") if opened or _FENCE.search(rest, 0, limit) else 0
        room = limit - length(opened, unit) - closing
        head = _head(rest, max(room, 1), unit)
        fence = _open_fence(opened + head)
        close = f"\n{fence.split(maxsplit=1)[0][: _ticks(fence)]}" if fence else ""
        if length(opened + head.rstrip() + close, unit) > limit:  # no room for a fence at all
            close = fence = ""
        pieces.append((opened + head.rstrip("\n ") + close) or opened + head)
        rest = rest[len(head) :]
        rest = rest.lstrip("\n") if fence else rest.lstrip()
        if fence and _closes(fence, rest.partition("\n")[0]):
            rest, fence = rest.partition("\n")[2].lstrip(), ""
        opened = f"{fence}\n" if fence else ""
    if rest or not pieces:
        pieces.append(opened + rest)
    return [piece for piece in pieces if piece.strip()] or [text]


def _ticks(fence: str) -> int:
    return len(fence) - len(fence.lstrip(fence[0]))


def _head(text: str, room: int, unit: Unit) -> str:
    """Return the longest beginning that fits and ends well."""
    fitting = _fitting(text, room, unit)
    for mark in _BREAKS:
        end = fitting.rfind(mark)
        if end > len(fitting) // 3:
            return fitting[: end + len(mark)]
    return fitting


def _fitting(text: str, room: int, unit: Unit) -> str:
    """Return the longest beginning of whole graphemes that fits; at least one grapheme."""
    from wcwidth import iter_graphemes  # its tables are large, and few answers are long

    size = end = 0
    for grapheme in iter_graphemes(text[: room + 64]):  # no unit counts less than one a character
        size += length(grapheme, unit)
        if size > room and end:
            break
        end += len(grapheme)
    return text[:end]


def _open_fence(text: str) -> str:
    """Return the line that opened the code block in which the text ends, empty for none."""
    opened = ""
    for found in _FENCE.finditer(text):
        if not opened:
            opened = found[0].rstrip()
        elif _closes(opened, found[0]):
            opened = ""
    return opened


def _closes(opened: str, line: str) -> bool:
    mark = line.rstrip()
    return len(mark) >= _ticks(opened) and not mark.strip(opened[0]) and bool(mark)
