"""What commands print: plain aligned text, coloured only for a person at a terminal."""

from __future__ import annotations

import os
import sys
import textwrap
from collections.abc import Iterable, Sequence
from typing import TextIO

import click

_SEVERITY = {"error": "red", "warning": "yellow", "info": "cyan"}


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line; a character that the stream can not show becomes ``?``."""
    stream: TextIO = sys.stderr if err else sys.stdout
    encoding = stream.encoding or "utf-8"
    click.echo(text.encode(encoding, "replace").decode(encoding), err=err)


def paint(text: str, colour: str) -> str:
    """Return the text in a colour, unless the user asked for none."""
    return text if os.environ.get("NO_COLOR") else click.style(text, fg=colour)


def mark(good: bool) -> str:
    """Return a tick or a cross."""
    return paint("✓", "green") if good else paint("✗", "red")


def wrapped(text: str, indent: int, *, first: int | None = None) -> str:
    """Return the text as lines that fit the terminal.

    Args:
        indent: Blanks before each line.
        first: Blanks before the first line, when it has another number of them.
    """
    lines = text.splitlines() or [""]
    return "\n".join(
        textwrap.fill(
            line,
            width=max(_columns(), indent + 30),
            initial_indent=" " * (indent if first is None or number else first),
            subsequent_indent=" " * indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        for number, line in enumerate(lines)
    )


def _columns() -> int:
    """Return the terminal's width; what is not read by a person need not be wrapped."""
    if not sys.stdout.isatty():
        return 10_000
    try:
        return int(os.environ.get("COLUMNS") or os.get_terminal_size(sys.stdout.fileno()).columns)
    except (OSError, ValueError):
        return 80


def verdict(severity: str, text: str, *, indent: int = 0) -> str:
    """Return a finding as lines that begin with its severity."""
    lines = wrapped(f"{severity:<8} {one_line(text)}", indent + 9, first=indent)
    return lines.replace(severity, paint(severity, _SEVERITY[severity]), 1)


def aligned(rows: Iterable[Sequence[str]], *, indent: int = 0) -> list[str]:
    """Return rows as lines whose cells stand below each other; cells may be painted."""
    rows = [list(row) for row in rows]
    widths = [max(map(_length, column)) for column in zip(*rows, strict=True)]
    return [
        " " * indent
        + "  ".join(
            cell + " " * (width - _length(cell)) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]


def _length(cell: str) -> int:
    return len(click.unstyle(cell))


def one_line(text: str) -> str:
    """Return the text with all white space, line ends included, as single blanks."""
    return " ".join(text.split())


def listing(pairs: Iterable[tuple[str, str]], *, indent: int = 0) -> None:
    """Print names with a fact after each; a long fact goes on below its beginning."""
    pairs = list(pairs)
    width = max((_length(name) for name, _ in pairs), default=0)
    for name, fact in pairs:
        plain = click.unstyle(name)
        lines = wrapped(f"{plain:<{width}}  {fact}", indent + width + 2, first=indent).rstrip()
        say(lines.replace(plain, name, 1))
