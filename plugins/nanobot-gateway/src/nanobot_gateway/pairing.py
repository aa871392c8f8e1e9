"""Pairing: a stranger gets a code, the owner approves it, and from then on they may talk.

The file is ``<data>/pairing.json``: ``approved`` lists user ids by channel, ``pending`` holds the
codes that wait. Several processes may use it at once: the gateway and the command line.
"""

from __future__ import annotations

import fcntl
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nanobot.context import Clock
from nanobot.errors import StorageError
from nanobot.paths import private_dir, write_private
from nanobot_documents import strict_json

LIFETIME_S = 600.0
MOST_PENDING = 50
"""Codes that may wait at a time on one channel; more strangers must wait for one to expire."""
_LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # without those that are mistaken for others


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """A code that waits for approval.

    Args:
        created_at: Seconds since the epoch.
    """

    code: str
    channel: str
    sender: str
    created_at: float
    expires_at: float


class PairingStore:
    """Who was approved, and which codes wait.

    Args:
        path: The file; need not exist.
        clock: The time.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._seen: tuple[int, int, int] | None = None
        self._approved: dict[str, list[str]] = {}
        self._pending: dict[str, Pending] = {}

    # --- reading --------------------------------------------------------------------------------

    def is_approved(self, channel: str, ids: tuple[str, ...]) -> bool:
        """Tell whether one of a sender's ids was approved; the file is read only when it changed.

        Raises:
            StorageError: The file can not be read, or is damaged; nobody is let in then.
        """
        self._read()
        return not set(ids).isdisjoint(self._approved.get(channel, ()))

    def approved(self) -> dict[str, list[str]]:
        """Return the approved ids by channel."""
        self._read()
        return {channel: list(ids) for channel, ids in self._approved.items() if ids}

    def pending(self) -> list[Pending]:
        """Return the codes that wait and have not expired."""
        self._read()
        return self._fresh()

    # --- changing -------------------------------------------------------------------------------

    def request(self, channel: str, sender: str) -> Pending | None:
        """Return the code of a stranger, a new one if none waits.

        Returns:
            None when too many strangers wait.
        """
        with self._changing():
            mine = [p for p in self._fresh() if (p.channel, p.sender) == (channel, sender)]
            if mine:
                return mine[0]
            if sum(p.channel == channel for p in self._fresh()) >= MOST_PENDING:
                return None
            now = self._clock.now().timestamp()
            text = "".join(secrets.choice(_LETTERS) for _ in range(8))
            made = Pending(
                code=f"{text[:4]}-{text[4:]}",
                channel=channel,
                sender=sender,
                created_at=now,
                expires_at=now + LIFETIME_S,
            )
            self._pending[made.code] = made
            return made

    def approve(self, code: str) -> Pending | None:
        """Let the stranger behind a code in; None when no such code waits."""
        with self._changing():
            found = self._take(code)
            if found:
                ids = self._approved.setdefault(found.channel, [])
                if found.sender not in ids:
                    ids.append(found.sender)
            return found

    def deny(self, code: str) -> Pending | None:
        """Throw a code away; None when no such code waits."""
        with self._changing():
            return self._take(code)

    def revoke(self, sender: str, channel: str = "") -> list[str]:
        """Take an approval back, on one channel or on all; return the channels where it was."""
        with self._changing():
            found = [
                name
                for name, ids in self._approved.items()
                if sender in ids and channel in ("", name)
            ]
            for name in found:
                self._approved[name].remove(sender)
            return found

    def _take(self, code: str) -> Pending | None:
        wanted = code.strip().upper().replace("-", "").encode("utf-8", "surrogatepass")
        for pending in self._fresh():
            if secrets.compare_digest(pending.code.replace("-", "").encode(), wanted):
                return self._pending.pop(pending.code)
        return None

    def _fresh(self) -> list[Pending]:
        now = self._clock.now().timestamp()
        # A clock that was set back must not keep a code alive beyond its time.
        fresh = [
            p for p in self._pending.values() if p.created_at - LIFETIME_S <= now < p.expires_at
        ]
        self._pending = {p.code: p for p in fresh}
        return fresh

    # --- the file -------------------------------------------------------------------------------

    @contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            private_dir(self._path.parent)
            with (self._path.parent / f".{self._path.name}.lock").open("a") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._read()
                yield
                self._write()
        except OSError as error:
            raise StorageError(f"{self._path} can not be written: {error.strerror}") from None

    def _write(self) -> None:
        document = {
            "approved": self._approved,
            "pending": {
                p.code: {
                    "channel": p.channel,
                    "sender_id": p.sender,
                    "created_at": p.created_at,
                    "expires_at": p.expires_at,
                }
                for p in self._fresh()
            },
        }
        write_private(self._path, json.dumps(document, indent=1, ensure_ascii=False).encode())
        self._seen = self._stamp()

    def _stamp(self) -> tuple[int, int, int] | None:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_mtime_ns, found.st_size

    def _read(self) -> None:
        try:
            stamp = self._stamp()
            if stamp is not None and stamp == self._seen:
                return
            document = {} if stamp is None else strict_json.loads(self._path.read_bytes())
            approved, pending = _checked(document)
        except OSError as error:
            raise StorageError(f"{self._path} can not be read: {error.strerror}") from None
        except (ValueError, TypeError, KeyError, AttributeError):
            raise StorageError(
                f"{self._path} is damaged; nobody who was paired is let in",
                remedy="Put it right, or move it away and pair again.",
            ) from None
        self._approved, self._pending, self._seen = approved, pending, stamp


def _checked(document: Any) -> tuple[dict[str, list[str]], dict[str, Pending]]:
    approved = {
        str(channel): [str(id) for id in ids]
        for channel, ids in document.get("approved", {}).items()
        if not isinstance(ids, str)
    }
    pending = {
        str(code): Pending(
            code=str(code),
            channel=str(found["channel"]),
            sender=str(found["sender_id"]),
            created_at=float(found["created_at"]),
            expires_at=float(found["expires_at"]),
        )
        for code, found in document.get("pending", {}).items()
    }
    return approved, pending
