"""The command: one question to the file tools' journal."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.command import CommandRequest
from nanobot.config import PluginConfig
from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot_tool_files.undoing import Undo, open_undo

_USAGE = "Say `/undo`, or `/undo force` to restore files that were changed by someone else since."


class UndoCommand:
    """Serves ``/undo``.

    Args:
        undo: Takes turns back.
    """

    def __init__(self, undo: Undo) -> None:
        self._undo = undo

    async def run(self, request: CommandRequest) -> str:
        """Undo the last turn that changed files."""
        if request.arguments not in ("", "force"):
            return _USAGE
        force = request.arguments == "force"
        try:
            return await asyncio.to_thread(self._undo.last_turn, request.turn, force=force)
        except ToolError as error:
            return f"Nothing was undone: {error.message}"


@asynccontextmanager
async def open_command(config: PluginConfig, context: PluginContext) -> AsyncIterator[UndoCommand]:
    """Open the command; it works on what the file tools of the same instance have kept."""
    yield UndoCommand(open_undo(context.data.parent))
