"""Tells observers what happens, beside the turn: a slow or failing one delays nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from nanobot import log
from nanobot.events import TurnEvent
from nanobot.messages import Turn
from nanobot.middleware import Observer

MAX_FAILURES = 5
QUEUE_SIZE = 1000
FLUSH_S = 2.0


class Observers:
    """Feeds each observer from a bounded queue of its own; when it is full, events are dropped."""

    def __init__(self) -> None:
        self._feeds: list[_Feed] = []

    def start(self, observers: Sequence[Observer]) -> None:
        """Begin to feed the given observers."""
        self._feeds = [_Feed(observer) for observer in observers]

    def tell(self, event: TurnEvent, turn: Turn) -> None:
        """Pass an event on without waiting."""
        for feed in self._feeds:
            feed.put(event, turn)

    async def aclose(self) -> None:
        """Let the observers take what is queued, for a short while."""
        await asyncio.gather(*(feed.close() for feed in self._feeds))


class _Feed:
    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._failures = 0
        self._queue: asyncio.Queue[Any] = asyncio.Queue(QUEUE_SIZE)
        self._task = asyncio.create_task(self._run())

    def put(self, event: TurnEvent, turn: Turn) -> None:
        if self._failures < MAX_FAILURES and not self._queue.full():
            self._queue.put_nowait((event, turn))

    async def _run(self) -> None:
        name = type(self._observer).__name__
        while True:
            event, turn = await self._queue.get()
            try:
                if self._failures < MAX_FAILURES:
                    await self._observer.observe(event, turn)
            except (Exception, SystemExit):
                self._failures += 1
                log.get(observer=name).error("observer_failed", exc_info=True)
                if self._failures == MAX_FAILURES:
                    log.get(observer=name).error("observer_dropped", failures=MAX_FAILURES)
            finally:
                self._queue.task_done()

    async def close(self) -> None:
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._queue.join()
        except TimeoutError:
            log.get(observer=type(self._observer).__name__).warning("observer_too_slow")
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
