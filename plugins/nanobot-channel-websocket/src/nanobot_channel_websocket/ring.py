"""What a chat has shown lately, so that a client that was away can catch up."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import islice

from nanobot_channel_websocket.wire import pack, quote

EVENTS = 16_384
BYTES = 2 * 2**20
_PIECE = 64  # what keeping a short text costs beside its characters


class Run:
    """Pieces of one text that followed each other; replayed as one.

    Args:
        head: JSON of the event up to the text.
        tail: JSON from the text up to the counters.
        first: Sequence number of the first piece.
        step: Number of the first piece within its turn, 0 when turns are not numbered.
    """

    __slots__ = ("_head", "_step", "_tail", "first", "pieces")

    def __init__(self, head: str, tail: str, first: int, step: int) -> None:
        self._head = head
        self._tail = tail
        self.first = first
        self._step = step
        self.pieces: deque[str] = deque()

    @property
    def last(self) -> int:
        """Return the sequence number of the last piece."""
        return self.first + len(self.pieces) - 1

    def frame(self, text: str) -> bytes:
        """Return a text that ends with the last piece as a frame."""
        behind = len(self.pieces) - 1
        step = f',"turn_seq":{self._step + behind}' if self._step else ""
        return pack(f'{self._head}{quote(text)}{self._tail}{step},"seq":{self.first + behind}}}')

    def after(self, seq: int) -> bytes:
        """Return what came after a sequence number as one frame."""
        return self.frame("".join(islice(self.pieces, max(0, seq + 1 - self.first), None)))

    def drop(self) -> int:
        """Forget the first piece and return what it took."""
        text = self.pieces.popleft()
        self.first += 1
        self._step += bool(self._step)
        return len(text) + _PIECE


class Ring:
    """The latest events of a chat, bounded in number and bytes."""

    __slots__ = ("_entries", "_run", "events", "size")

    def __init__(self) -> None:
        self._entries: deque[Run | tuple[int, bytes]] = deque()
        self._run: Run | None = None
        self.events = 0
        self.size = 0

    def add(self, seq: int, data: bytes) -> None:
        """Keep an event."""
        self._run = None
        self._entries.append((seq, data))
        self._grow(len(data) + _PIECE)

    def start(self, run: Run) -> None:
        """Begin a text; its pieces follow."""
        self._run = run
        self._entries.append(run)

    def grow(self, run: Run, text: str) -> bool:
        """Keep a piece of the text that was begun last; False if something came in between."""
        if run is not self._run:
            return False
        run.pieces.append(text)
        self._grow(len(text) + _PIECE)
        return True

    def first(self, upcoming: int) -> int:
        """Return the oldest sequence number that is kept, the upcoming one when none is."""
        for entry in self._entries:
            if not isinstance(entry, Run):
                return entry[0]
            if entry.pieces:
                return entry.first
        return upcoming

    def after(self, seq: int) -> Iterator[bytes]:
        """Yield what came after a sequence number, as frames."""
        for entry in self._entries:
            if isinstance(entry, Run):
                if entry.pieces and entry.last > seq:
                    yield entry.after(seq)
            elif entry[0] > seq:
                yield entry[1]

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self._run = None
        self.events = self.size = 0

    def _grow(self, size: int) -> None:
        self.events += 1
        self.size += size
        while self.size > BYTES or self.events > EVENTS:
            entry = self._entries[0]
            if isinstance(entry, Run):
                if not entry.pieces:
                    self._entries.popleft()
                    if entry is self._run:
                        self._run = None
                    continue
                self.size -= entry.drop()
            else:
                self._entries.popleft()
                self.size -= len(entry[1]) + _PIECE
            self.events -= 1
