"""Registers the web tools, and opens the kinds ``search`` and ``fetch``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.specs import KindSpec, ToolSpec

from nanobot_tool_web.config import WebConfig
from nanobot_tool_web.definitions import TOOLS
from nanobot_tool_web.hookspecs import Fetch, Search
from nanobot_tool_web.specs import FetchSpec, SearchSpec


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kinds."""
    yield KindSpec(name="search", hookspecs=Search, spec=SearchSpec, title="Search engines")
    yield KindSpec(name="fetch", hookspecs=Fetch, spec=FetchSpec, title="Page readers")


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the one spec that carries both tools."""
    yield ToolSpec(
        name="web",
        factory="nanobot_tool_web.tool:open_tool",
        config=WebConfig,
        title="Web",
        tools=TOOLS,
    )
