"""The Responses API, with chat completions as the way out for what it does not take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from nanobot.context import Clock
from nanobot.errors import BadRequest
from nanobot.provider import ModelEvent, ModelInfo, ModelRequest

_FAILURES = 3
_PAUSE_S = 300.0


class Incompatible(BadRequest):
    """Report a request that the Responses API does not take; chat completions may."""


class Dialect(Protocol):
    """One of the two dialects, opened."""

    def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request."""
        ...

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask for the models."""
        ...


@dataclass(slots=True)
class _Record:
    """What is remembered of a model with an effort that was refused."""

    failures: int = 0
    skip_until: float = 0.0


class AutoProvider:
    """Asks with Responses, and with chat completions where that is refused as incompatible.

    After three refusals in a row, a model with an effort goes straight to chat completions for
    five minutes; then one request tries again.

    Args:
        responses: The provider to prefer.
        open_chat: Opens the other one, on first need.
        clock: The time.
    """

    def __init__(
        self, responses: Dialect, open_chat: Callable[[], Awaitable[Dialect]], clock: Clock
    ) -> None:
        self._responses = responses
        self._open_chat = open_chat
        self._clock = clock
        self._chat: Dialect | None = None
        self._opening = asyncio.Lock()
        self._records: dict[tuple[str, str | None], _Record] = {}

    async def stream(self, request: ModelRequest) -> AsyncIterator[ModelEvent]:
        """Answer a request; see `nanobot.provider.Provider.stream`."""
        if not self._skips(request):
            try:
                async with aclosing(self._responses.stream(request)) as events:  # type: ignore[type-var]
                    async for event in events:
                        yield event
                self._records.pop(_key(request), None)
                return
            except Incompatible:
                self._refused(request)
        chat = await self._other()
        async with aclosing(chat.stream(request)) as events:  # type: ignore[type-var]
            async for event in events:
                yield event

    async def list_models(self) -> Sequence[ModelInfo]:
        """Ask which models there are."""
        return await self._responses.list_models()

    def _skips(self, request: ModelRequest) -> bool:
        """Tell whether to leave Responses out; the one request that tries again is let through."""
        record = self._records.get(_key(request))
        if record is None or record.failures < _FAILURES:
            return False
        now = self._clock.monotonic()
        if now < record.skip_until:
            return True
        record.skip_until = now + _PAUSE_S
        return False

    def _refused(self, request: ModelRequest) -> None:
        record = self._records.setdefault(_key(request), _Record())
        record.failures += 1
        record.skip_until = self._clock.monotonic() + _PAUSE_S

    async def _other(self) -> Dialect:
        async with self._opening:
            if self._chat is None:
                self._chat = await self._open_chat()
            return self._chat


def _key(request: ModelRequest) -> tuple[str, str | None]:
    return (request.model, request.reasoning_effort)
