"""The tools of all configured MCP servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot.log import Logger
from nanobot.messages import Effects, Role, ToolResult, Turn
from nanobot.specs import ToolDefinition
from nanobot.tool import ToolRequest

from nanobot_tool_mcp.call import Call
from nanobot_tool_mcp.catalog import Item, Offer, offer
from nanobot_tool_mcp.config import McpConfig
from nanobot_tool_mcp.naming import unique, wrapped
from nanobot_tool_mcp.server import Server

FIRST_SIGHT_S = 3.0
"""Seconds to wait at start-up for servers that were never seen; the others are not waited for."""

STATUS = "mcp_status"
_STATUS = ToolDefinition(
    name=STATUS,
    description=(
        "Tell which MCP servers can not be used right now, or wait for the owner's approval, and "
        "what to do about it. Use it when a tool of such a server is missing, and tell the user."
    ),
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    effects=Effects(read_only=True),
    role=Role.USER,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Route:
    server: Server
    item: Item
    offer: Offer


class McpTool:
    """Offers what the servers offer, and hands calls on to them."""

    def __init__(self, servers: Sequence[Server]) -> None:
        self._servers = servers
        self._routes: dict[str, _Route] = {}
        self._version: object = None

    def definitions(self) -> tuple[ToolDefinition, ...]:
        """Return the approved tools of all servers, connected or not."""
        offered = [route.offer.definition for route in self._routed().values()]
        return (*offered, _STATUS) if self._notices() else tuple(offered)

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one call on its server."""
        if request.name == STATUS:
            return ToolResult.ok("\n".join(self._notices()) or "All MCP servers are well.")
        route = self._routed().get(request.name)
        if route is None:
            raise ToolError(f"There is no MCP tool {request.name!r}.", kind="not_found")
        arguments = {**dict.fromkeys(route.offer.nulls), **request.arguments}
        return await route.server.call(
            Call(
                item=route.item,
                arguments=arguments,
                turn=turn,
                id=request.call_id,
                repeatable=route.offer.definition.effects.repeatable,
            )
        )

    def _routed(self) -> Mapping[str, _Route]:
        version = tuple(server.pins.version for server in self._servers)
        if version != self._version:
            self._routes, self._version = self._made(), version
        return self._routes

    def _made(self) -> dict[str, _Route]:
        pairs = [(server, item) for server in self._servers for item in server.offered()]
        names = unique(
            (wrapped(server.name, item.kind, item.name), f"{server.name}\0{item.key}")
            for server, item in pairs
        )
        return {
            name: _Route(
                server=server, item=item, offer=offer(item, name, server.name, server.config)
            )
            for name, (server, item) in zip(names, pairs, strict=True)
        }

    def _notices(self) -> list[str]:
        told = [text for server in self._servers for text in (server.waiting(), server.trouble())]
        return [text for text in told if text]


@asynccontextmanager
async def open_tool(config: McpConfig, context: PluginContext) -> AsyncIterator[McpTool]:
    """Open the servers' tools; a server is connected to when it is first called.

    Only servers that were never seen are connected to at once, since nothing is known of them.
    """
    enabled = {name: one for name, one in config.servers.items() if one.enabled}
    servers = [Server(name, one, context) for name, one in enabled.items()]
    new = [asyncio.create_task(server.meet()) for server in servers if not server.pins.known]
    try:
        with sdk_log(context.log):
            if new:
                await asyncio.wait(new, timeout=FIRST_SIGHT_S)
            yield McpTool(servers)
    finally:
        for task in new:
            task.cancel()
        await asyncio.gather(*(server.aclose() for server in servers), return_exceptions=True)


class _Forwarder(logging.Handler):
    """Sends what the SDK logs to nanobot's log, which masks secrets."""

    def __init__(self, log: Logger) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        self._log.debug("mcp_sdk", message=record.getMessage()[:500])


@contextmanager
def sdk_log(log: Logger) -> Iterator[None]:
    """Keep what the SDK logs off standard error, where it would appear with all it holds."""
    handler = _Forwarder(log)
    loggers = [logging.getLogger(name) for name in ("mcp", "client")]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
