"""Registers the file tools, and opens the kind ``reader``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl, hookspec
from nanobot.specs import KindSpec, ToolSpec

from nanobot_tool_files.config import FilesConfig
from nanobot_tool_files.definitions import TOOLS
from nanobot_tool_files.specs import ReaderSpec


class Hooks:
    """Extension point ``reader``."""

    @hookspec
    def nanobot_reader(self) -> Iterable[ReaderSpec]:  # type: ignore[empty-body]
        """Return readers of documents for read_file. Entry-point group ``nanobot.v1.reader``."""


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kind."""
    yield KindSpec(name="reader", hookspecs=Hooks, spec=ReaderSpec, title="Document readers")


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
