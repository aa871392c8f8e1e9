"""Threads for what waits for the disk, so that one session's disk stops no other session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

WORKERS = 8

P = ParamSpec("P")
T = TypeVar("T")


class DiskThreads:
    """Runs blocking work beside the event loop."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(WORKERS, thread_name_prefix="nanobot-disk")
        self._closed = False

    async def run(self, work: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
        """Return what the work returns.

        A cancellation waits for the end of the work: what it works on must not be closed beneath
        it.
        """
        if self._closed:  # a turn that is stopped after the engine has been closed
            return work(*args, **named)
        future = asyncio.wrap_future(self._threads.submit(work, *args, **named))
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            await _settled(future)
            raise

    def close(self) -> None:
        """Let the threads end once they have nothing to do."""
        self._closed = True
        self._threads.shutdown(wait=False)


async def _settled(future: asyncio.Future[T]) -> None:
    while not future.done():
        try:
            await asyncio.wait((future,))
        except asyncio.CancelledError:
            continue
    if not future.cancelled():
        future.exception()  # marks it as seen: the cancellation is what counts
