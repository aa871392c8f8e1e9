"""Server-sent events from bytes, whatever pieces the network cuts them into.

Source: WHATWG HTML, "Server-sent events". Lines end with LF, CR or CRLF; only the ``data`` field
matters to the chat dialect.
"""

from __future__ import annotations

from collections.abc import Iterable

MAX_EVENT = 16 * 1024 * 1024
"""Bytes that one event may have; nothing that a model says is longer."""


class EventTooLong(Exception):
    """Report an event that is longer than `MAX_EVENT`."""


class EventSplitter:
    """Cuts a byte stream into the data of its events, at a cost linear in its length."""

    def __init__(self) -> None:
        self._line: list[bytes] = []  # pieces of a line whose end has not come
        self._data: list[bytes] = []  # data lines of the event whose end has not come
        self._size = 0
        self._after_cr = False
        self._started = False

    def feed(self, block: bytes) -> list[bytes]:
        """Take more bytes; return the data of the events that they complete."""
        if not block:
            return []
        if events := self._whole(block):
            return events
        if self._after_cr and block.startswith(b"\n"):
            block = block[1:]
        self._after_cr = block.endswith(b"\r") if block else self._after_cr
        lines = block.splitlines(keepends=True)
        last = lines.pop() if lines and not lines[-1].endswith((b"\n", b"\r")) else b""
        events = self._take(lines) if lines else []
        if last:
            self._count(last)
            self._line.append(last)
        return events

    def _whole(self, block: bytes) -> list[bytes]:
        """Return the events of a block that is made of nothing else, as most blocks are."""
        if (
            not block.startswith(b"data: ")
            or not block.endswith(b"\n\n")
            or self._line
            or self._data
            or b"\r" in block
        ):
            return []
        events = block[6:-2].split(b"\n\ndata: ")
        if any(b"\n" in event for event in events):
            return []
        self._started, self._after_cr, self._size = True, False, 0
        return events

    def flush(self) -> bytes:
        """Return the data of an event that the end of the stream cut off; empty without one."""
        events = self._take([b"\n", b"\n"])
        return events[0] if events else b""

    def _take(self, lines: Iterable[bytes]) -> list[bytes]:
        events = []
        for piece in lines:
            line = piece.rstrip(b"\r\n")
            if self._line:
                line = b"".join((*self._line, line))
                self._line.clear()
            if not self._started:
                self._started = True
                line = line.removeprefix(b"\xef\xbb\xbf")  # a byte order mark
            if line.startswith(b"data:"):
                self._count(line)
                self._data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line:
                if self._data:
                    events.append(self._data[0] if len(self._data) == 1 else b"\n".join(self._data))
                    self._data.clear()
                self._size = 0
        return events

    def _count(self, piece: bytes) -> None:
        self._size += len(piece)
        if self._size > MAX_EVENT:
            raise EventTooLong
