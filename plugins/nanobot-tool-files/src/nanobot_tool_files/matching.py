"""Where an old text occurs in a file: exactly, or as nearly as models are used to copying.

The ladder is climbed until a rung holds: the exact text; whole lines that differ in the white space
around them; such lines with typographic quotes taken for plain ones; the exact text with such
quotes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_QUOTES = str.maketrans({"“": '"', "”": '"', "„": '"', "‘": "'", "’": "'", "‚": "'"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """One occurrence.

    Args:
        start: Position of the first character.
        end: Position behind the last one.
        line: Number of the line that it starts in, counted from 1.
        exact: The text is the very same.
    """

    start: int
    end: int
    line: int
    exact: bool


def plain_quotes(text: str) -> str:
    """Replace typographic quotes by plain ones, character by character."""
    return text.translate(_QUOTES)


def find(text: str, old: str) -> list[Match]:
    """Return the occurrences on the first rung that has any, in order."""
    return (
        _find_text(text, old, exact=True)
        or _find_lines(text, old, str.strip)
        or _find_lines(text, old, lambda line: plain_quotes(line.strip()))
        or _find_text(plain_quotes(text), plain_quotes(old), exact=False)
    )


def replacement(text: str, match: Match, old: str, new: str) -> str:
    """Return what to put at an inexact match: indented and quoted as the file is."""
    if match.exact:
        return new
    found = text[match.start : match.end]
    fitted = _indent_like(found, old, new) if _starts_line(text, match.start) else new
    return _quote_like(found, fitted)


def _find_text(text: str, old: str, *, exact: bool) -> list[Match]:
    matches: list[Match] = []
    at = line_at = 0
    line = 1
    while (start := text.find(old, at)) >= 0:
        line += text.count("\n", line_at, start)
        line_at = start
        at = start + len(old)
        matches.append(Match(start=start, end=at, line=line, exact=exact))
    return matches


def _find_lines(text: str, old: str, form: Callable[[str], str]) -> list[Match]:
    wanted = [form(line) for line in old.removesuffix("\n").split("\n")]
    if not any(wanted):
        return []
    lines = text.split("\n")
    formed = [form(line) for line in lines]
    matches: list[Match] = []
    start = index = 0
    while index + len(wanted) <= len(lines):
        if formed[index] == wanted[0] and formed[index : index + len(wanted)] == wanted:
            body = lines[index : index + len(wanted)]
            end = start + sum(map(len, body)) + len(body) - 1
            if old.endswith("\n") and end < len(text):
                end += 1
            matches.append(Match(start=start, end=end, line=index + 1, exact=False))
            start += sum(map(len, body)) + len(body)
            index += len(wanted)
        else:
            start += len(lines[index]) + 1
            index += 1
    return matches


def _starts_line(text: str, position: int) -> bool:
    return position == 0 or text[position - 1] == "\n"


def _indent_like(found: str, old: str, new: str) -> str:
    """Move the new lines by as much as the old ones were off."""
    there, given = _indent(found), _indent(old)
    if there == given:
        return new
    out = []
    for line in new.split("\n"):
        if line.strip() and line.startswith(given):
            line = there + line[len(given) :]
        out.append(line)
    return "\n".join(out)


def _indent(text: str) -> str:
    """Return the white space in front of the first line that has anything else."""
    for line in text.split("\n"):
        if line.strip():
            return line[: len(line) - len(line.lstrip())]
    return ""


def _quote_like(found: str, new: str) -> str:
    """Write quotes as the replaced text does, if it has typographic ones only."""
    for plain, opening, closing in (('"', "“", "”"), ("'", "‘", "’")):
        if plain not in found and (opening in found or closing in found):
            signs = list(new)
            for place, sign in enumerate(signs):
                if sign == plain:
                    opens = place == 0 or new[place - 1] in " \t\n([{-—"
                    signs[place] = opening if opens and opening in found else closing
            new = "".join(signs)
    return new
