"""The contract of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from nanobot.messages import ToolResult, Turn
from nanobot.specs import ToolDefinition


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolRequest:
    """A tool call whose arguments are parsed, cast and valid against the tool's schema.

    Args:
        name: Name of the tool, one of the spec's.
        arguments: The arguments; only keys that the schema names unless it allows more.
        call_id: Id of the model's call.
    """

    name: str
    arguments: Mapping[str, object]
    call_id: str = ""


class Tool(Protocol):
    """What a `ToolSpec` factory opens; serves all tools of the spec."""

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one call.

        Calls of different turns may overlap; keep no state that belongs to one turn. Raise
        `nanobot.errors.ToolError`, or return `ToolResult.error`, to tell the model what went wrong;
        any other exception becomes an error result of kind ``crashed``. The host cancels the call
        when its deadline passes or the turn is stopped.
        """
        ...


@runtime_checkable
class DynamicTool(Protocol):
    """A tool object whose tools are known only once it is open."""

    def definitions(self) -> tuple[ToolDefinition, ...]:
        """Return what is on offer now; asked once per turn, must not block."""
        ...
