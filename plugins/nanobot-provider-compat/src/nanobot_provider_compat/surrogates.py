"""Characters that JSON can carry in halves and that UTF-8 can not."""

from __future__ import annotations


def mend(text: str) -> str:
    """Return text that UTF-8 can carry: halves are joined, lone ones become U+FFFD.

    ``"\\ud83d\\ude00"`` is legal JSON, and servers that escape a stream piece by piece, or tools
    that read broken files, bring one half without the other.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def ends_in_half(text: str) -> bool:
    """Tell whether the last character is the first half of one."""
    return "\ud800" <= text[-1:] <= "\udbff"
