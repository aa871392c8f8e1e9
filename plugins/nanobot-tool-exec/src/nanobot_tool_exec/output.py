"""What a command printed, kept within bounds."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from nanobot.paths import private_dir

KEPT_BYTES = 100_000
"""Of each end of a stream: half of the longest text that a call may ask for, at 4 bytes each."""


def nameless_file(folder: Path) -> BinaryIO:
    """Open a file that only this process can reach, in a folder that is made when it is missing.

    It has no name in the folder: the system frees it when it is closed, and when this process is
    killed. There is nothing to sweep, and nothing that two processes could take from each other.

    Raises:
        OSError: It can not be made, as on a full disk.
    """
    return tempfile.TemporaryFile(buffering=0, dir=private_dir(folder))


class Capture:
    """The beginning and the end of a stream of any length, in a file of bounded size.

    The beginning comes first in the file; the end follows as a ring, where new bytes replace the
    oldest. What can not be written is lost, and counted.

    Args:
        open_file: Makes the file once there is something to keep; memory by default.
        keep: Bytes of each end.
    """

    def __init__(
        self, open_file: Callable[[], BinaryIO] = io.BytesIO, *, keep: int = KEPT_BYTES
    ) -> None:
        self._open = open_file
        self._keep = keep
        self._file: BinaryIO | None = None
        self.clear()

    def clear(self) -> None:
        """Begin anew, without a file."""
        if self._file:
            self._file.close()
        self._file = None
        self._written = 0
        self._lost = 0
        self._reason = ""

    def feed(self, data: bytes) -> None:
        """Take the next bytes of the stream."""
        rest = memoryview(data)
        try:
            while rest and not self._lost:  # after a gap, nothing can be joined to what is there
                rest = rest[self._write(rest) :]
        except OSError as error:
            self._reason = error.strerror or type(error).__name__
        self._lost += len(rest)

    def __contains__(self, data: bytes) -> bool:
        return any(data in part for part in self._parts())

    @property
    def dropped(self) -> int:
        """Return how many bytes between beginning and end were given up."""
        return max(0, self._written - 2 * self._keep)

    @property
    def text(self) -> str:
        """Return what was kept, with the replacement character for what is not UTF-8.

        The last line says when output was lost.
        """
        text = "".join(part.decode(errors="replace") for part in self._parts())
        if not self._lost:
            return text
        return f"{text}\n[... {self._lost} bytes of output were lost: {self._reason} ...]"

    def _write(self, data: memoryview) -> int:
        self._file = self._file or self._open()
        # Before `keep` bytes are written, the first half of the file; ever after, the second.
        half = min(self._written // self._keep, 1) * self._keep
        within = self._written % self._keep
        self._file.seek(half + within)
        count = self._file.write(data[: self._keep - within])
        self._written += count
        return count

    def _parts(self) -> list[bytes]:
        if not self._file:
            return []
        self._file.seek(0)
        kept = self._file.read(2 * self._keep)
        if not self.dropped:
            return [kept]
        oldest = self._keep + self._written % self._keep
        return [kept[: self._keep], kept[oldest:] + kept[self._keep : oldest]]


def render(stdout: Capture, stderr: Capture, ending: str, *, limit: int) -> str:
    """Join both streams and the ending into a text of about the given length.

    Args:
        ending: The last line, such as ``Exit code: 0``; never shortened away.
        limit: Characters to keep, half of them from each end.
    """
    parts = []
    if (printed := stdout.text).strip():
        parts.append(printed.rstrip("\n"))
    if (printed := stderr.text).strip():
        parts.append("STDERR:\n" + printed.rstrip("\n"))
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
