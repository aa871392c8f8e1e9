"""Code around a turn: middleware may veto or rewrite, observers only watch."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from nanobot.events import TurnEvent
from nanobot.messages import ToolResult, Turn
from nanobot.provider import ModelEvent, ModelRequest
from nanobot.tool import ToolRequest

ModelNext = Callable[[ModelRequest], AsyncIterator[ModelEvent]]
ToolNext = Callable[[ToolRequest], Awaitable[ToolResult]]
TurnNext = Callable[[], AsyncIterator[TurnEvent]]


class Middleware:
    """Base of all middleware: every method passes on; override what you need.

    Each method is called once per turn, model call or tool call, outermost middleware first. An
    exception of class `NanobotError` is the veto: a tool call becomes an error result, a model
    call or turn ends with that error.
    """

    def around_turn(self, turn: Turn, proceed: TurnNext) -> AsyncIterator[TurnEvent]:
        """Wrap a whole turn."""
        return proceed()

    def around_model(
        self, request: ModelRequest, turn: Turn, proceed: ModelNext
    ) -> AsyncIterator[ModelEvent]:
        """Wrap a model call; pass on a changed request to rewrite it."""
        return proceed(request)

    async def around_tool(self, request: ToolRequest, turn: Turn, proceed: ToolNext) -> ToolResult:
        """Wrap a tool call; return a result without proceeding to refuse it."""
        return await proceed(request)


class Observer(Protocol):
    """What an `ObserverSpec` factory opens."""

    async def observe(self, event: TurnEvent, turn: Turn) -> None:
        """Take note of an event.

        Runs beside the turn, which does not wait for it. An observer that fails five times is
        dropped.
        """
        ...
