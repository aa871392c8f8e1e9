"""Reasoning that a model writes into its answer, between tags, taken out while it streams."""

from __future__ import annotations

import re
from collections.abc import Iterator

_NAMES = ("think", "thinking", "thought")
_TAG = re.compile(rf"<(/?)(?:{'|'.join(_NAMES)})>", re.IGNORECASE)
_TAGS = tuple(f"<{slash}{name}>" for slash in ("", "/") for name in _NAMES)
_LONGEST = max(map(len, _TAGS))
_QUOTES = "`'\""


class ThinkFilter:
    """Splits streamed text into answer and reasoning, at a cost linear in its length.

    A tag directly behind a quote or backtick is a mention, not a tag. Reasoning without an end tag
    runs to the end of the answer; an end tag without a begin is left out.
    """

    def __init__(self) -> None:
        self._held = ""  # the end of the text so far, when it may be the beginning of a tag
        self._before = ""  # the character before what comes next
        self._inside = False
        self._answered = False
        self._trim = False  # white space that comes next belongs to a tag

    def feed(self, piece: str) -> Iterator[tuple[bool, str]]:
        """Take more text; give pieces as (is reasoning, text), without what may be a cut tag."""
        text, self._held = self._held + piece, ""
        start = text.rfind("<", max(0, len(text) - _LONGEST))
        if start >= 0:
            end = text[start:].lower()
            if any(tag.startswith(end) and tag != end for tag in _TAGS):
                text, self._held = text[:start], text[start:]
        return self._split(text)

    def passes(self, piece: str) -> bool:
        """Take a piece that is sure to be answer and nothing else; False if it must be fed."""
        if "<" in piece or self._held or self._inside or self._trim or not self._answered:
            return False
        self._before = piece[-1]
        return True

    def flush(self) -> Iterator[tuple[bool, str]]:
        """Give what was held back; the answer is over."""
        text, self._held = self._held, ""
        return self._split(text)

    def _split(self, text: str) -> Iterator[tuple[bool, str]]:
        done = 0
        if "<" in text:
            for tag in _TAG.finditer(text):
                before = text[tag.start() - 1] if tag.start() else self._before
                opens = not tag[1]
                if (before and before in _QUOTES) or (opens and self._inside):
                    continue
                yield from self._give(text[done : tag.start()])
                self._inside, self._trim = opens, opens or not self._answered
                done = tag.end()
        yield from self._give(text[done:])
        if text:
            self._before = text[-1]

    def _give(self, text: str) -> Iterator[tuple[bool, str]]:
        if self._trim:
            text = text.lstrip()
            self._trim = not text
        if not text:
            return
        if not self._inside and not self._answered:
            self._answered = not text.isspace()
        yield self._inside, text
