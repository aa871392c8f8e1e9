"""Looks names up, off the event loop."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable

Resolve = Callable[[str], Awaitable[tuple[str, ...]]]
"""Takes a name and returns all its addresses as text; raises OSError when there are none."""


async def resolve(name: str) -> tuple[str, ...]:
    """Ask the system's resolver.

    Each question has a thread of its own: a name server that does not answer holds up nothing but
    its own question, neither other threads' work nor the end of the process.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[tuple[str, ...]] = loop.create_future()

    def settle(found: tuple[str, ...], error: Exception | None) -> None:
        if not answer.done():
            if error is None:
                answer.set_result(found)
            else:
                answer.set_exception(error)

    def work() -> None:
        found: tuple[str, ...] = ()
        failed: Exception | None = None
        try:
            records = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            found = tuple(dict.fromkeys(str(record[4][0]) for record in records))
        except (OSError, UnicodeError) as error:
            failed = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, found, failed)

    threading.Thread(target=work, name="nanobot-resolve", daemon=True).start()
    return await answer
