"""A text file, with line ends taken away for matching and kept for writing."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass

from nanobot_tool_files.content import BOM, encode, encoding_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """The content of a text file.

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
    def load(cls, path: str, data: bytes) -> Document:
        """Decode a file; a `ToolError` refuses what is no text."""
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

    @property
    def line_end(self) -> str:
        """Return how most lines end."""
        return "\r\n" if 2 * len(self.pairs) > self.text.count("\n") else "\n"

    def replace(self, changes: list[tuple[int, int, str]]) -> str:
        """Return the raw text with pieces replaced; the rest keeps its line ends."""
        out = []
        done = 0
        for start, end, new in changes:
            out += [self.raw[done : self._raw(start)], new.replace("\n", self.line_end)]
            done = self._raw(end)
        return "".join([*out, self.raw[done:]])

    def encode(self, path: str, raw: str) -> bytes:
        """Return the bytes of a changed text."""
        body = encode(path, raw, self.encoding)
        return BOM + body if self.bom else body

    def _raw(self, position: int) -> int:
        return position + bisect_left(self.pairs, position)
