"""Opens the tools in the workspace, and runs them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from nanobot.context import PluginContext
from nanobot.messages import Effects, Role, ToolResult, Trust, Turn
from nanobot.specs import ToolDefinition
from nanobot.tool import ToolRequest

from nanobot_tool_workspace import sources, trust
from nanobot_tool_workspace.base import Failure, ToolContext
from nanobot_tool_workspace.config import WorkspaceConfig
from nanobot_tool_workspace.loading import Shelf

_STATUS = ToolDefinition(
    name="workspace_tools",
    description=(
        "Tell why files in the workspace's folder tools are not loaded: they wait for the owner's "
        "approval, or are broken."
    ),
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    effects=Effects(read_only=True),
    role=Role.USER,
)
_WAITS = {
    "new": "it waits for the owner's approval: nanobot tools trust",
    "changed": "it was changed and waits for the owner's approval: nanobot tools trust",
}


class WorkspaceTools:
    """Implements `nanobot.tool.Tool` and `nanobot.tool.DynamicTool`.

    Args:
        shelf: The tools that are loaded.
        left_out: Why files are not, a line each.
    """

    def __init__(self, shelf: Shelf, left_out: Sequence[str]) -> None:
        self._tools = shelf.tools
        self._left_out = left_out

    def definitions(self) -> tuple[ToolDefinition, ...]:
        """Return the tools that are loaded, and one that tells of files that are not."""
        loaded = tuple(one.definition for one in self._tools.values())
        told = bool(self._left_out) and _STATUS.name not in self._tools
        return (*loaded, _STATUS) if told else loaded

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one; what it returns may come from anywhere."""
        loaded = self._tools.get(request.name)
        if loaded is not None:
            result: object = await loaded.tool.execute(**request.arguments)
            if isinstance(result, ToolResult):
                return result
            if isinstance(result, Failure):
                return ToolResult.error("failed", result)
            return ToolResult.ok(str(result), trust=Trust.UNTRUSTED)
        if request.name == _STATUS.name:
            told = "\n".join(self._left_out) or "All files are loaded."
            return ToolResult.ok(told, trust=Trust.UNTRUSTED)
        return ToolResult.error("unknown_tool", f"there is no tool '{request.name}' here")


def _fill(shelf: Shelf, workspace: Path, config: WorkspaceConfig, data: Path) -> list[str]:
    """Load what may be loaded; return why other files are not. Blocks."""
    approved = trust.Trust(data)
    waiting = []
    for source in sources.find(workspace):
        state = approved.state(source)
        if source.problem:
            shelf.problems.append(f"{source.name}: {source.problem}")
        elif config.trust is True or state == "trusted":
            shelf.load(source)
        else:
            waiting.append(f"{source.name}: {_WAITS[state]}")
    return [*waiting, *shelf.problems]


@asynccontextmanager
async def open_shelf(
    config: WorkspaceConfig, context: PluginContext, workspace: Path
) -> AsyncIterator[WorkspaceTools]:
    """Load the tools of a workspace; in a thread, since files may import much."""
    shelf = Shelf(
        ToolContext(workspace=workspace, allowed_dir=workspace, working_dir=str(workspace))
    )
    left_out = await asyncio.to_thread(_fill, shelf, workspace, config, context.data)
    for name in shelf.tools:
        context.log.info("workspace_tool_loaded", tool=name)
    for line in left_out:
        context.log.warning("workspace_tool_left_out", reason=line)
    try:
        yield WorkspaceTools(shelf, left_out)
    finally:
        shelf.clear()
