"""The sessions of an engine: opened and locked for a turn, and kept parsed between turns.

A session that is kept holds no lock and no open file. Before it is used again its file is looked
at: what another process has added is read, and a file that is not the one that was read any more
is read from its beginning.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from weakref import WeakValueDictionary

from nanobot.context import Clock
from nanobot.errors import SessionBusy

from nanobot_engine_standard.disk import DiskThreads
from nanobot_engine_standard.history import KEEP_TOKENS
from nanobot_engine_standard.session import Session
from nanobot_engine_standard.transcript import Transcript

MAX_SESSIONS = 256
MAX_BYTES = 64 * 1024 * 1024
WAIT_S = 30.0
_POLL_S = 0.05


class Sessions:
    """Opens sessions, one turn at a time each.

    Args:
        folder: Where the transcripts lie.
        keep_tokens: How much of its past a session must hold: the largest window of a model.
    """

    def __init__(
        self, folder: Path, clock: Clock, disk: DiskThreads, keep_tokens: int = KEEP_TOKENS
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._disk = disk
        self._keep_tokens = keep_tokens
        self._idle: OrderedDict[str, tuple[Session, int]] = OrderedDict()
        self._bytes = 0
        self._running: dict[str, Session] = {}
        # The lock of a session lives as long as somebody holds it or waits for it.
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def open(self, key: str) -> AsyncIterator[Session]:
        """Open and lock a session; wait a while for another turn that holds it.

        Raises:
            SessionBusy: It is still held after `WAIT_S` seconds.
            SessionVersion: A newer nanobot wrote it.
            StorageError: It can not be opened.
        """
        turn = self._turns.setdefault(key, asyncio.Lock())
        await _acquired(turn, key)
        try:
            async with self._opened(key) as session:
                yield session
        finally:
            turn.release()

    def running(self, key: str) -> Session | None:
        """Return a session in which a turn of this engine runs, to look at; None if none does."""
        return self._running.get(key)

    @asynccontextmanager
    async def _opened(self, key: str) -> AsyncIterator[Session]:
        transcript = await self._locked(key)
        session: Session | None = None
        try:
            session = await self._resumed(transcript) or await self._read(transcript)
            self._running[key] = session
            yield session
        finally:
            self._running.pop(key, None)
            if session is not None:
                session.transcript.__exit__()
                self._keep(session)
            transcript.__exit__()

    async def _locked(self, key: str) -> Transcript:
        """Return the file of a session, once no other process holds it."""
        give_up = self._clock.monotonic() + WAIT_S
        while True:
            try:
                return Transcript(self._folder, key).__enter__()
            except SessionBusy:
                if self._clock.monotonic() >= give_up:
                    raise
                await self._clock.sleep(_POLL_S)

    async def _read(self, transcript: Transcript) -> Session:
        session = Session(
            transcript,
            lambda: self._clock.now().isoformat(timespec="milliseconds"),
            self._disk,
            self._keep_tokens,
        )
        await session.load()
        return session

    # --- kept sessions --------------------------------------------------------------------------

    async def _resumed(self, opened: Transcript) -> Session | None:
        """Return the kept session of an open file, None when there is none that still holds."""
        session, size = self._idle.pop(opened.key, (None, 0))
        self._bytes -= size
        if session is None or not session.transcript.resume(opened):
            return None
        await session.load()
        return None if session.transcript.irregular else session

    def _keep(self, session: Session) -> None:
        if session.spoiled:
            return
        size = session.history.weight
        self._idle[session.key] = session, size
        self._bytes += size
        while len(self._idle) > MAX_SESSIONS or self._bytes > MAX_BYTES:
            _, (_, freed) = self._idle.popitem(last=False)
            self._bytes -= freed


async def _acquired(turn: asyncio.Lock, key: str) -> None:
    if not turn.locked():
        await turn.acquire()
        return
    try:
        async with asyncio.timeout(WAIT_S):
            await turn.acquire()
    except TimeoutError:
        raise SessionBusy(
            f"a turn is running in session {key!r}",
            remedy="Wait until it has finished, or name another session with -s.",
        ) from None
