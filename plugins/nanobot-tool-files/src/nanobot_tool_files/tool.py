"""Opens the file tools and takes each call to a thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import PurePath

from nanobot.context import Extension, PluginContext
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.changes import FOLDER, Changes
from nanobot_tool_files.config import FilesConfig
from nanobot_tool_files.edit import Editor, NoMatch
from nanobot_tool_files.finding import Finder
from nanobot_tool_files.grep import Searcher
from nanobot_tool_files.notebooks import NotebookEditor
from nanobot_tool_files.patching import Patcher
from nanobot_tool_files.reading import Reader
from nanobot_tool_files.ripgrep import find_ripgrep
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.specs import ReaderSpec
from nanobot_tool_files.walking import Limits, Stop

Work = Callable[[Arguments, Turn, Stop], ToolResult]


class FileTools:
    """All file tools; every call blocks in a thread and can be stopped.

    Args:
        config: The section ``tools.files``.
        changes: The way to the disk for changes.
        readers: Plugins that read other formats, by the ending of the name.
    """

    def __init__(
        self, config: FilesConfig, changes: Changes, readers: dict[str, Extension]
    ) -> None:
        seen = SeenFiles()
        limits = Limits(ignore=frozenset(config.ignore), seconds=config.search_seconds)
        editor, finder = Editor(seen, changes), Finder(limits)
        program = find_ripgrep() if config.use_ripgrep else ""
        self._readers = readers
        self._reader = Reader(seen)
        self._works: dict[str, Work] = {
            "read_file": self._reader.read,
            "write_file": editor.write,
            "edit_file": editor.edit,
            "apply_patch": Patcher(seen, changes).apply,
            "notebook_edit": NotebookEditor(seen, changes).edit,
            "list_dir": finder.list_dir,
            "find_files": finder.find,
            "glob": finder.glob,
            "grep": Searcher(limits, program).grep,
        }

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one call; a cancelled one leaves its thread at the next look at the stop sign."""
        work = self._works.get(request.name)
        if work is None:
            return ToolResult.error("unknown_tool", f"there is no file tool '{request.name}'")
        arguments = Arguments(request.arguments)
        stop = threading.Event()
        try:
            if request.name == "read_file":
                other = self._readers.get(PurePath(arguments.text("path")).suffix.lower())
                if other is not None:
                    return await self._reader.read_document(other, arguments, turn, stop.is_set)
            return await asyncio.to_thread(work, arguments, turn, stop.is_set)
        except NoMatch as error:
            return error.result
        finally:
            stop.set()


@asynccontextmanager
async def open_tool(config: FilesConfig, context: PluginContext) -> AsyncIterator[FileTools]:
    """Open the file tools; what they remember of reads lives as long as they are open."""
    readers = {
        suffix: extension
        for extension in context.extensions("reader").values()
        if isinstance(extension.spec, ReaderSpec)
        for suffix in extension.spec.suffixes
    }
    changes = Changes(
        context.data / FOLDER,
        most_bytes=config.undo_megabytes << 20,
        most_seconds=config.undo_days * 86_400,
    )
    yield FileTools(config, changes, readers)
