"""What is said while a turn runs: taken in at safe points, a few messages at a time."""

from __future__ import annotations

from collections import deque

from nanobot.engine import FollowUps
from nanobot.messages import Inbound

from nanobot_engine_standard.history import key_of
from nanobot_engine_standard.session import Session

MAX_MESSAGES = 3
MAX_DRAINS = 5


class Following:
    """Takes messages into one turn.

    A message that was given is never lost: what is more than a drain takes waits for the next one,
    and the last one takes all.
    """

    def __init__(self, session: Session, turn_id: str, source: FollowUps | None) -> None:
        self._session = session
        self._turn_id = turn_id
        self._source = source
        self._drains = 0
        self._waiting: deque[Inbound] = deque()

    async def drain(self, *, ending: bool = False) -> bool:
        """Store what was said since; tell whether there was something.

        Args:
            ending: The answer is there.

        Raises:
            StorageError: It could not be stored.
        """
        if self._source is None:
            return False
        if self._drains < MAX_DRAINS:
            self._waiting.extend(self._source.take(ending=ending))
        last = self._drains >= MAX_DRAINS - 1
        stored = 0
        while self._waiting and (last or stored < MAX_MESSAGES):
            stored += await self._store(self._waiting.popleft())
        if stored:
            self._drains += 1
            await self._session.commit()
        return stored > 0

    async def settle(self) -> None:
        """Store what was given and is left, since the turn ends."""
        while self._waiting:
            await self._store(self._waiting.popleft())

    async def _store(self, inbound: Inbound) -> bool:
        """Store a message unless it was stored before; tell whether it was not."""
        if self._session.history.knows(key_of(inbound)):
            return False
        parts = await self._session.put_away(inbound.parts)
        self._session.join(self._turn_id, inbound, parts)
        return True
