"""What this plugin offers: the tools of the configured MCP servers."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ToolSpec

from nanobot_tool_mcp.config import McpConfig


@hookimpl
def nanobot_tools() -> list[ToolSpec]:
    """Return the MCP client; what it offers is known once it is open."""
    return [
        ToolSpec(
            name="mcp",
            factory="nanobot_tool_mcp.tool:open_tool",
            config=McpConfig,
            title="MCP servers",
            section="tools.mcpServers",
        )
    ]
