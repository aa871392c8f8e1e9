"""Opens the file tools and takes each call to a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.config import FilesConfig
from nanobot_tool_files.edit import Editor
from nanobot_tool_files.finding import Finder
from nanobot_tool_files.grep import Searcher
from nanobot_tool_files.reading import Reader
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.walking import Limits, Stop

Work = Callable[[Arguments, Turn, Stop], ToolResult]


class FileTools:
    """All file tools; every call blocks in a thread and can be stopped.

    Args:
        config: The section ``tools.files``.
    """

    def __init__(self, config: FilesConfig) -> None:
        seen = SeenFiles()
        limits = Limits(ignore=frozenset(config.ignore), seconds=config.search_seconds)
        editor, finder = Editor(seen), Finder(limits)
        self._works: dict[str, Work] = {
            "read_file": Reader(seen).read,
            "write_file": editor.write,
            "edit_file": editor.edit,
            "list_dir": finder.list_dir,
            "find_files": finder.find,
            "glob": finder.glob,
            "grep": Searcher(limits).grep,
        }

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one call; a cancelled one leaves its thread at the next look at the stop sign."""
        work = self._works.get(request.name)
        if work is None:
            return ToolResult.error("unknown_tool", f"there is no file tool '{request.name}'")
        stop = threading.Event()
        try:
            return await asyncio.to_thread(work, Arguments(request.arguments), turn, stop.is_set)
        finally:
            stop.set()


@asynccontextmanager
async def open_tool(config: FilesConfig, context: PluginContext) -> AsyncIterator[FileTools]:
    """Open the file tools; what they remember of reads lives as long as they are open."""
    yield FileTools(config)
