"""Carry out calls on one server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from mcp import MCPError, types
from mcp.client import Client
from mcp.shared.uri_template import InvalidUriTemplate, UriTemplate
from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot.log import redact
from nanobot.messages import ToolResult
from pydantic import ValidationError

from nanobot_tool_mcp.asking import Asker, can_ask
from nanobot_tool_mcp.call import Call
from nanobot_tool_mcp.catalog import Item
from nanobot_tool_mcp.connection import Connection, Hooks
from nanobot_tool_mcp.dialing import dialer
from nanobot_tool_mcp.listing import list_items
from nanobot_tool_mcp.results import Reader, failure
from nanobot_tool_mcp.server import Server

_KINDS = {
    types.INVALID_PARAMS: "bad_arguments",
    types.METHOD_NOT_FOUND: "not_found",
}


class Caller:
    """Calls what one server offers."""

    def __init__(self, server: Server, context: PluginContext) -> None:
        self._server = server
        self._config = server.config
        self._log = context.log.bind(server=server.name)
        self._checks: set[asyncio.Task[None]] = set()
        self._asker = Asker(server.name, context.desk)
        self.connection = Connection(
            server.name,
            dialer(server, context),
            Hooks(
                opened=self.listed,
                asked=self._asker if can_ask(context.desk) else None,
            ),
            context.clock,
            self._log,
        )

    async def listed(self, client: Client) -> None:
        """Read what the server has on offer, and note it beside what is approved."""
        items = await list_items(client, self._log)
        await asyncio.to_thread(self._server.pins.record, items)
        if waiting := self._server.waiting():
            self._log.warning("mcp_approval_needed", what=waiting)
        if unknown := self._server.unknown_names(items):
            self._log.warning("mcp_unknown_tools", names=unknown)

    async def call(self, call: Call) -> ToolResult:
        """Carry out a call.

        Raises:
            ToolError: The server can not be reached, or the item is not approved any more.
        """
        client = await self.connection.acquire(self._config.tool_timeout)
        try:
            return await self._use(client, call)
        except MCPError as error:
            # What a server refuses since it forgot the session, it has not carried out.
            if error.code != types.INVALID_REQUEST or not self.connection.forgets(client):
                return await self._refused(client, error, call.repeatable)
        client = await self.connection.acquire(self._config.tool_timeout)
        try:
            return await self._use(client, call)
        except MCPError as error:
            return await self._refused(client, error, call.repeatable)

    async def aclose(self) -> None:
        """Close the connection."""
        for task in self._checks:
            task.cancel()
        await self.connection.aclose()

    async def _use(self, client: Client, call: Call) -> ToolResult:
        if all(one.key != call.item.key for one in self._server.offered()):
            raise ToolError(
                self._server.waiting()
                or f"The MCP server {self._server.name!r} has no {call.item.name!r} any more.",
                kind="approval_needed" if self._server.waiting() else "not_found",
            )
        seconds = self._config.tool_timeout
        try:
            async with asyncio.timeout(seconds) as limit:
                with self._asker.during(call, limit, seconds):
                    return await self._ask(client, call)
        except TimeoutError:
            check = asyncio.create_task(self.connection.check(client))
            self._checks.add(check)
            check.add_done_callback(self._checks.discard)
            return failure(
                "timeout",
                f"The MCP server {self._server.name!r} did not finish within "
                f"{self._config.tool_timeout:g} s; it was told to stop.",
            )
        except InvalidUriTemplate as error:
            return failure("bad_arguments", str(error))
        except (RuntimeError, ValidationError) as error:
            words = (
                str(error) if isinstance(error, RuntimeError) else "it does not fit the protocol"
            )
            return failure(
                "malformed_answer", f"The MCP server {self._server.name!r} answered badly: {words}"
            )

    async def _ask(self, client: Client, call: Call) -> ToolResult:
        reader, item = Reader(call.turn.workspace), call.item
        if item.kind == "tool":
            called = await client.call_tool(
                item.ident, dict(call.arguments), progress_callback=self._progress
            )
            return await asyncio.to_thread(reader.tool, called)
        if item.kind == "prompt":
            texts = {name: str(value) for name, value in call.arguments.items()}
            prompt = await client.get_prompt(item.ident, texts)
            return await asyncio.to_thread(reader.prompt, prompt)
        resource = await client.read_resource(_uri(item, call.arguments))
        return await asyncio.to_thread(reader.resource, resource)

    async def _refused(self, client: Client, error: MCPError, repeatable: bool) -> ToolResult:
        if error.code == types.CONNECTION_CLOSED:
            if reason := await self.connection.why(client):
                raise reason
            known = "" if repeatable else " Whether the call was carried out is not known."
            return failure(
                "unavailable",
                f"The MCP server {self._server.name!r} went away during the call.{known}",
                retryable=repeatable,
            )
        return failure(_KINDS.get(error.code, "failed"), redact(error.message))

    async def _progress(self, progress: float, total: float | None, message: str | None) -> None:
        self._log.debug("mcp_progress", done=progress, total=total, message=message)


def _uri(item: Item, arguments: Mapping[str, object]) -> str:
    if item.kind == "resource":
        return item.ident
    values = {name: str(value) for name, value in arguments.items()}
    return UriTemplate.parse(item.ident).expand(values)
