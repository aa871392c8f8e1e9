"""Asks for updates, and confirms them only once they are stored.

`getUpdates` with an offset confirms every update before it for good
(https://core.telegram.org/bots/api#getupdates). So the offset stays before the first update that
is not stored yet: what is not confirmed is given again, after a crash too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from nanobot.context import Clock
from nanobot.errors import StorageError
from nanobot.log import Logger
from telegram import Update

POLL_S = 30
"""Seconds that Telegram may hold a request when there is nothing to tell."""
QUIET_S = 0.6
"""Pause after which an album counts as whole; its pictures come as one message each."""
RETRY_S = 1.0
"""Pause before asking again for what could not be stored."""
ALBUM_SIZE = 10
"""Most messages in an album."""

Ask = Callable[[int | None, int], Awaitable[Sequence[Update]]]
Take = Callable[[Sequence[Update]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Unit:
    """Updates that make one message: a single one, or the messages of an album."""

    album: tuple[int, str] | None
    updates: list[Update] = field(default_factory=list)

    @property
    def ids(self) -> frozenset[int]:
        """Return the ids of the updates."""
        return frozenset(update.update_id for update in self.updates)


class Poller:
    """Fetches updates and hands them over, in order within a chat, chats side by side.

    Args:
        ask: Fetches updates from an offset on, waiting up to some seconds for one.
        take: Stores what a unit says; raises `StorageError` when it can not.
    """

    def __init__(self, ask: Ask, take: Take, clock: Clock, log: Logger) -> None:
        self._ask = ask
        self._take = take
        self._clock = clock
        self._log = log
        self._offset: int | None = None
        self._done: set[int] = set()
        self._albums: dict[tuple[int, str], frozenset[int]] = {}

    async def run(self) -> None:
        """Work until cancelled, or until asking fails."""
        wait = POLL_S
        while True:
            updates = await self._ask(self._offset, wait)
            pause = await self._hand_over(updates)
            self._advance(updates)
            wait = POLL_S
            if pause:
                await self._clock.sleep(pause)
                wait = 0

    def _advance(self, updates: Sequence[Update]) -> None:
        """Move the offset past all updates that are stored without a gap."""
        if not updates:  # all is confirmed; after a quiet week ids start anywhere, even lower
            self._offset = None
            self._done.clear()
            self._albums.clear()
            return
        for update in updates:
            if update.update_id not in self._done:
                break
            self._done.discard(update.update_id)
            self._offset = update.update_id + 1

    async def _hand_over(self, updates: Sequence[Update]) -> float:
        """Take what is new; return the seconds after which to look again, 0 to wait for news."""
        lanes: dict[int, list[Unit]] = {}
        for update in updates:
            if update.update_id not in self._done:
                chat = update.effective_chat
                _add(lanes.setdefault(chat.id if chat else 0, []), update)
        results = await asyncio.gather(*map(self._lane, lanes.values()), return_exceptions=True)
        pauses = [result for result in results if isinstance(result, float)]
        for result in results:
            if isinstance(result, StorageError):
                self._log.warning("not_stored", reason=result.message)
                pauses.append(RETRY_S)
            elif isinstance(result, BaseException):
                raise result
        return max(pauses, default=0.0)

    async def _lane(self, units: Sequence[Unit]) -> float:
        """Take the units of a chat in order, up to an album that may still grow."""
        for unit in units:
            if unit.album and not self._is_whole(unit.album, unit.ids):
                self._albums[unit.album] = unit.ids
                return QUIET_S
            await self._take(unit.updates)
            self._done |= unit.ids
            if unit.album:
                self._albums.pop(unit.album, None)
        return 0.0

    def _is_whole(self, album: tuple[int, str], ids: frozenset[int]) -> bool:
        return len(ids) >= ALBUM_SIZE or self._albums.get(album) == ids


def _add(units: list[Unit], update: Update) -> None:
    message = update.message
    if message is None or not message.media_group_id:
        units.append(Unit(None, [update]))
        return
    album = (message.chat.id, message.media_group_id)
    for unit in units:
        if unit.album == album:
            unit.updates.append(update)
            return
    units.append(Unit(album, [update]))
