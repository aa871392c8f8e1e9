"""Which parts of a document a model asks for."""

from __future__ import annotations

import re

from nanobot_reader_documents.archive import Refused

_RANGE = re.compile(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})?\s*)?")


def chosen(pages: str, total: int, *, first: int, what: str) -> range:
    """Return the numbers of the chosen parts, counted from 1.

    Args:
        pages: ``3``, ``1-5`` or ``7-``; empty for the first ones.
        total: How many there are.
        first: How many are read at once.
        what: What they are called, in the singular.
    """
    if not pages:
        return range(1, min(total, first) + 1)
    found = _RANGE.fullmatch(pages)
    if not found:
        raise Refused(f"has {total} {what}s; name them like '3' or '1-5'", "bad_argument")
    start = int(found[1])
    end = int(found[2]) if found[2] else (start + first - 1 if "-" in pages else start)
    if not 1 <= start <= end or start > total:
        raise Refused(f"has {what}s 1 to {total}, not {pages}", "out_of_range")
    return range(start, min(end, total, start + first - 1) + 1)


def note(read: range, total: int, *, what: str) -> str:
    """Say which parts were read, and how to get at the next; empty when these were all."""
    if len(read) == total:
        return ""
    shown = f"{read.start}-{read.stop - 1}" if len(read) > 1 else str(read.start)
    text = f"{what.capitalize()}{'s' * (len(read) > 1)} {shown} of {total}."
    if read.stop <= total:
        text += f" Use pages='{read.stop}-{min(total, read.stop + len(read) - 1)}' to go on."
    return f"({text})"
