"""A server of the SDK, which speaks the newer protocol: clients ask to hear of changes."""

from __future__ import annotations

from mcp.server.mcpserver import Context, MCPServer

server = MCPServer("modern")


def grown() -> str:
    """Be there later."""
    return "new"


@server.tool()
async def grow(context: Context) -> str:
    """Offer one tool more."""
    server.add_tool(grown)
    await context.notify_tools_changed()
    return context.request_context.protocol_version


if __name__ == "__main__":
    server.run()
