"""One MCP server: what it offers, and what waits for the owner.

Offering needs nothing but the pins. The SDK, whose import takes half a second, comes with the
first call.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from nanobot.context import PluginContext
from nanobot.errors import describe
from nanobot.log import redact
from nanobot.messages import ToolResult

from nanobot_tool_mcp.call import Call, Calls
from nanobot_tool_mcp.catalog import Item
from nanobot_tool_mcp.config import ServerConfig
from nanobot_tool_mcp.naming import wrapped
from nanobot_tool_mcp.pins import Pins, identity


class Server:
    """One configured server."""

    def __init__(self, name: str, config: ServerConfig, context: PluginContext) -> None:
        self.name = name
        self.config = config
        self.pins = Pins(context.data / "pins", name, identity(config), auto=config.trust == "auto")
        self._context = context
        self._caller: asyncio.Task[Calls] | None = None

    def offered(self) -> list[Item]:
        """Return what is approved and not left out by configuration."""
        return [item for item in self.pins.offered() if self._is_enabled(item)]

    def waiting(self) -> str:
        """Say what waits for the owner's approval; empty when nothing does."""
        changes = [str(one) for one in self.pins.changes() if self._is_enabled(one.item)]
        if not changes:
            return ""
        more = f" and {len(changes) - 5} more" if len(changes) > 5 else ""
        return (
            f"The MCP server {self.name!r} changed what it offers: {', '.join(changes[:5])}{more}. "
            f"That is withheld until the owner approves it with: nanobot mcp trust {self.name}"
        )

    def trouble(self) -> str:
        """Say why the server can not be used; empty when nothing is known against it."""
        if self._caller is None or not self._caller.done():
            return ""
        if error := self._caller.exception():
            return f"MCP can not be used: {redact(describe(error))}"
        failure = self._caller.result().connection.failure
        return failure.message if failure else ""

    def unknown_names(self, items: Sequence[Item]) -> list[str]:
        """Return what `enabledTools` names that the server does not have."""
        known = {wrapped(self.name, item.kind, item.name) for item in items}
        known |= {item.name for item in items if item.kind == "tool"}
        return [name for name in self.config.enabled_tools if name != "*" and name not in known]

    async def meet(self) -> None:
        """Connect, and see what the server has on offer; `trouble` tells when that fails."""
        caller = await self._called()
        await caller.connection.settled()

    async def call(self, call: Call) -> ToolResult:
        """Carry out a call.

        Raises:
            ToolError: The server can not be reached, or the item is not approved any more.
        """
        caller = await self._called()
        return await caller.call(call)

    async def aclose(self) -> None:
        """Close the connection."""
        if self._caller:
            caller = await self._caller
            await caller.aclose()

    async def _called(self) -> Calls:
        if self._caller is None:
            self._caller = asyncio.create_task(self._make())
        return await asyncio.shield(self._caller)

    async def _make(self) -> Calls:
        module: Any = await asyncio.to_thread(import_module, "nanobot_tool_mcp.calling")
        caller: Calls = module.Caller(self, self._context)
        return caller

    def _is_enabled(self, item: Item) -> bool:
        names = self.config.enabled_tools
        if "*" in names or wrapped(self.name, item.kind, item.name) in names:
            return True
        return item.kind == "tool" and item.name in names
