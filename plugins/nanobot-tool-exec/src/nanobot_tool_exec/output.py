"""What a command printed, kept within bounds."""

from __future__ import annotations

_KEPT_BYTES = 100_000
"""Of each end of a stream: half of the longest text that a call may ask for, at 4 bytes each."""


class Capture:
    """The beginning and the end of a stream of any length, in bounded memory."""

    def __init__(self) -> None:
        self._head = bytearray()
        self._tail = bytearray()
        self._dropped = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        room = _KEPT_BYTES - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * _KEPT_BYTES:
            surplus = len(self._tail) - _KEPT_BYTES
            self._dropped += surplus
            del self._tail[:surplus]

    def __contains__(self, data: bytes) -> bool:
        return data in self._head + self._tail

    @property
    def dropped(self) -> int:
        """Return how many bytes between beginning and end were given up."""
        return self._dropped

    @property
    def text(self) -> str:
        """Return what was kept, with the replacement character for what is not UTF-8."""
        if not self._dropped:
            return (self._head + self._tail).decode(errors="replace")
        return self._head.decode(errors="replace") + self._tail.decode(errors="replace")


def render(stdout: Capture, stderr: Capture, ending: str, *, limit: int) -> str:
    """Join both streams and the ending into a text of about the given length.

    Args:
        ending: The last line, such as ``Exit code: 0``; never shortened away.
        limit: Characters to keep, half of them from each end.
    """
    parts = [stdout.text.rstrip("\n")] if stdout.text.strip() else []
    if stderr.text.strip():
        parts.append("STDERR:\n" + stderr.text.rstrip("\n"))
    text = "\n".join([*parts, ending] if parts else ["(no output)", ending])
    if len(text) <= limit:
        return text
    half = limit // 2
    left_out = len(text) - 2 * half + stdout.dropped + stderr.dropped
    note = (
        f"\n\n[... about {left_out} characters left out; to see them, run the command again with "
        "its output in a file, and read that in parts ...]\n\n"
    )
    return text[:half] + note + text[-half:]
