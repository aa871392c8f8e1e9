"""Knows whether the store takes anything at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nanobot.context import Clock
from nanobot.errors import StorageError

from nanobot_gateway.store import Store

LOOK_S = 5.0


class StorageWatch:
    """Remembers that the store failed until it is healthy again.

    Args:
        store: The store.
        clock: The time.
        changed: Told when it begins and ends.
    """

    def __init__(self, store: Store, clock: Clock, changed: Callable[[], None]) -> None:
        self.trouble = ""
        self._store = store
        self._clock = clock
        self._changed = changed
        self._looking: asyncio.Task[None] | None = None

    def failed(self, error: StorageError) -> None:
        """Take note of a failure."""
        self.trouble = error.message
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(), name="storage")
            self._changed()

    def worked(self) -> None:
        """Take note that something was stored."""
        self.trouble = ""

    async def aclose(self) -> None:
        """Look no more."""
        if self._looking:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look(self) -> None:
        while self.trouble:
            await self._clock.sleep(LOOK_S)
            try:
                self.trouble = await self._store.healthy()
            except StorageError as error:
                self.trouble = error.message
        self._looking = None
        self._changed()
