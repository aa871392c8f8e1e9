"""A call of an MCP server, and what carries calls out once the SDK is there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn

from nanobot_tool_mcp.catalog import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call as the model made it.

    Args:
        id: Id of the model's call.
        repeatable: It may be carried out twice.
    """

    item: Item
    arguments: Mapping[str, object]
    turn: Turn
    id: str
    repeatable: bool


class Linked(Protocol):
    """A connection, as far as its server looks at it."""

    failure: ToolError | None

    async def settled(self) -> None: ...


class Calls(Protocol):
    """Carries out calls over a connection."""

    @property
    def connection(self) -> Linked: ...

    async def call(self, call: Call) -> ToolResult: ...

    async def aclose(self) -> None: ...
