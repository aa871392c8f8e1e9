"""Explaining to a model why its old text was not found."""

from __future__ import annotations

import difflib
import re

from nanobot_tool_files.matching import plain_quotes

_MOST_LINES = 50_000  # of the file
_MOST_CHARS = 4_000  # of a piece that is compared letter by letter
_CANDIDATES = 5
_ENOUGH = 0.4  # similarity below which a piece helps nobody


def explain(path: str, text: str, old: str) -> str:
    """Return the message of a failed edit, with the most similar piece of the file."""
    message = f"old_text was not found in '{path}'."
    hints = _hints(text, old)
    if hints:
        message += " " + " ".join(hints)
    near = _nearest(text, old)
    if near is None:
        return f"{message} Nothing similar is there; read the file again before you edit it."
    line, similarity, piece = near
    diff = difflib.unified_diff(
        old.splitlines(), piece.splitlines(), "old_text", f"{path}, line {line}", lineterm=""
    )
    shown = "\n".join(diff)[:_MOST_CHARS]
    return f"{message} The most similar text is {similarity:.0%} alike, at line {line}:\n{shown}"


def _hints(text: str, old: str) -> list[str]:
    hints = []
    if re.search(r"(?m)^ *\d+\| ", old):
        hints.append("It holds the line numbers that read_file shows; leave out 'N| '.")
    if old.strip() and old.casefold() in text.casefold():
        hints.append("It differs only in upper and lower case.")
    elif _squeeze(old) and _squeeze(old) in _squeeze(text):
        hints.append("It differs only in white space.")
    elif old.strip() and old.strip() in text:
        hints.append("It differs only in blank space or line ends around it.")
    elif plain_quotes(old.casefold()) in plain_quotes(text.casefold()):
        hints.append("It differs only in quotes and in upper and lower case.")
    return hints


def _squeeze(text: str) -> str:
    return "".join(text.split())


def _nearest(text: str, old: str) -> tuple[int, float, str] | None:
    """Return line, similarity and text of the window that is most like the old text.

    Windows are ranked by the words that they share, and only the best are compared in full.
    """
    lines = text.split("\n")[:_MOST_LINES]
    height = len(old.strip("\n").split("\n"))
    words = set(_words(old))
    if not words:
        return None
    scores = [len(words.intersection(_words(line))) for line in lines]
    running = sum(scores[:height])
    windows = [(running, 0)]
    for start in range(1, max(1, len(lines) - height + 1)):
        running += scores[start + height - 1] - scores[start - 1]
        windows.append((running, start))
    best: tuple[int, float, str] | None = None
    for _, start in sorted(windows, key=lambda window: (-window[0], window[1]))[:_CANDIDATES]:
        piece = "\n".join(lines[start : start + height])
        matcher = difflib.SequenceMatcher(None, old[:_MOST_CHARS], piece[:_MOST_CHARS])
        similarity = matcher.ratio()
        if best is None or similarity > best[1]:
            best = (start + 1, similarity, piece)
    return best if best is not None and best[1] >= _ENOUGH else None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text[:_MOST_CHARS].casefold())
