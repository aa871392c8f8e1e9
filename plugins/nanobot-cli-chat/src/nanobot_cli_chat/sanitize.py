"""Text from models, tools and errors, made harmless for a terminal."""

from __future__ import annotations

_CONTROLS = [code for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\n\t"]
_BIDI = [*range(0x202A, 0x202F), *range(0x2066, 0x206A)]
_SURROGATES = range(0xD800, 0xE000)

_TABLE: dict[int, str | None] = {
    **dict.fromkeys(_CONTROLS),
    **{code: f"\\u{code:04x}" for code in _BIDI},
    **dict.fromkeys(_SURROGATES, "\ufffd"),
}


def clean(text: str) -> str:
    """Return the text without anything that could drive a terminal or hide what is written.

    Control characters other than newline and tab are dropped, so an escape sequence shows as the
    harmless rest of it. Characters that reorder text are shown as ``\\u202e``. Halves of surrogate
    pairs, which no encoding can write, become U+FFFD. Works character by character, so pieces of
    a stream can be cleaned one at a time.
    """
    return text.translate(_TABLE)


def one_line(text: str, limit: int) -> str:
    """Return the cleaned text on one line, cut to the given number of characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
