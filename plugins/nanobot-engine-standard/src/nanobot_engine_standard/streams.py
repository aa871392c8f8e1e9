"""Closing async iterators in time, and holding them to a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Generic, TypeVar

from nanobot_engine_standard.alarm import Alarm

T = TypeVar("T")


class closing(Generic[T]):
    """Close an async iterator at the end of a block, if it can be closed.

    Like `contextlib.aclosing`, for iterators of plugins, which need not be generators.
    """

    def __init__(self, stream: AsyncIterator[T]) -> None:
        self._stream = stream

    async def __aenter__(self) -> AsyncIterator[T]:
        return self._stream

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        close = getattr(self._stream, "aclose", None)
        if close is not None:
            await close()


class Bounded(Generic[T]):
    """An async iterator that must come to its end before a loop time, whoever makes it wait.

    Args:
        late: What is raised when it does not.
    """

    def __init__(self, stream: AsyncIterator[T], until: float, late: type[Exception]) -> None:
        self._stream = stream
        self._until = until
        self._late = late
        self._alarm = Alarm()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        self._alarm.set(self._until)
        try:
            return await self._stream.__anext__()
        except asyncio.CancelledError:
            if self._alarm.rang():
                raise self._late from None
            raise
        finally:
            self._alarm.clear()

    async def aclose(self) -> None:
        """Close the stream."""
        self._alarm.close()
        async with closing(self._stream):
            pass
