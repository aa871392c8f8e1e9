"""Registers the file tools."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ToolSpec

from nanobot_tool_files.config import FilesConfig
from nanobot_tool_files.definitions import TOOLS


@hookimpl
def nanobot_tools() -> tuple[ToolSpec, ...]:
    """Return the one spec that carries all file tools."""
    return (
        ToolSpec(
            name="files",
            factory="nanobot_tool_files.tool:open_tool",
            config=FilesConfig,
            title="Files",
            tools=TOOLS,
        ),
    )
