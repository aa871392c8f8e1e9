"""What must be known of earlier mails to answer them, in a file that outlives the process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from nanobot.errors import StorageError
from nanobot.log import Logger
from nanobot.paths import write_private

MOST = 1000
"""Mails to remember; the oldest are forgotten."""


@dataclass(frozen=True, kw_only=True)
class Note:
    """A mail that was taken.

    Args:
        id: Its Message-ID, empty when it had none.
        chat: Who wrote it.
        thread: The thread it belongs to, where threads are kept apart.
        subject: Its subject.
        references: Ids of the thread before it, the oldest first.
        at: When it was taken, in seconds since the epoch.
    """

    id: str
    chat: str
    thread: str = ""
    subject: str = ""
    references: tuple[str, ...] = ()
    at: float = 0.0


class Ledger:
    """Notes of the mails that were taken.

    Args:
        path: The file; need not exist.
    """

    def __init__(self, path: Path, log: Logger) -> None:
        self._path = path
        self._notes: dict[tuple[str, str], Note] = {}
        try:
            for fields in json.loads(path.read_bytes()):
                self._put(Note(**{**fields, "references": tuple(fields["references"])}))
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError) as error:
            # Answers find their threads again with the next mail; nothing else is lost.
            log.warning("ledger_unreadable", path=str(path), reason=str(error))

    def _put(self, note: Note) -> None:
        self._notes[note.chat, note.id] = note
        while len(self._notes) > MOST:
            del self._notes[next(iter(self._notes))]

    def knows(self, note: Note) -> bool:
        """Tell whether a mail was noted before."""
        return (note.chat, note.id) in self._notes

    def add(self, note: Note) -> None:
        """Note a mail, for now in memory only."""
        self._put(note)

    def drop(self, note: Note) -> None:
        """Forget a mail again."""
        self._notes.pop((note.chat, note.id), None)

    async def save(self) -> None:
        """Write all notes.

        Raises:
            StorageError: They could not be written.
        """
        fields = [asdict(note) for note in self._notes.values()]
        try:
            await asyncio.to_thread(
                write_private, self._path, json.dumps(fields, ensure_ascii=True).encode()
            )
        except OSError as error:
            raise StorageError(f"{self._path} can not be written: {error.strerror}") from None

    def find(self, chat: str, thread: str, *ids: str) -> Note | None:
        """Return the mail that an answer belongs to: by its id, else the last one of the thread."""
        for id in ids:
            if id and (chat, id) in self._notes:
                return self._notes[chat, id]
        return next((note for note in self._latest(chat) if note.thread == thread), None)

    def rest(self, chat: str, most: int, now: float, span: float = 3600.0) -> float:
        """Return for how many seconds a sender must wait who may write so much in a time span."""
        times = [note.at for note in self._latest(chat) if now - span < note.at <= now]
        return max(times[most - 1] + span - now, 0.0) if len(times) >= most else 0.0

    def _latest(self, chat: str) -> Iterator[Note]:
        return (note for note in reversed(self._notes.values()) if note.chat == chat)
