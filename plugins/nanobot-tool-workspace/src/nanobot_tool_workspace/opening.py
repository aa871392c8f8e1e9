"""Opens the plugin; most workspaces have no tools, and for those nothing more is imported."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from nanobot.context import PluginContext
from nanobot.messages import Principal, Role, Scope, ToolResult, Turn
from nanobot.specs import ToolDefinition
from nanobot.tool import ToolRequest

from nanobot_tool_workspace.config import FOLDER, WorkspaceConfig

_HOST = Scope(principal=Principal(channel="cli", user="", role=Role.OWNER), session_key="")


class NoTools:
    """Implements `nanobot.tool.DynamicTool` where there is nothing."""

    def definitions(self) -> tuple[ToolDefinition, ...]:
        return ()

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")


@asynccontextmanager
async def open_tool(config: WorkspaceConfig, context: PluginContext) -> AsyncIterator[Any]:
    """Load the tools of the instance's workspace, if it has any."""
    workspace = context.desk.facts(_HOST).get("workspace", "")
    if not workspace or config.trust is False or not (Path(workspace) / FOLDER).is_dir():
        yield NoTools()
        return
    runtime = import_module("nanobot_tool_workspace.tool")
    async with runtime.open_shelf(config, context, Path(workspace)) as tools:
        yield tools
