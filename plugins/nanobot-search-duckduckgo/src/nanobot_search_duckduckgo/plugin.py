"""Registers DuckDuckGo."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import SearchSpec


@hookimpl
def nanobot_search() -> list[SearchSpec]:
    """Return the engine."""
    return [
        SearchSpec(
            name="duckduckgo",
            factory="nanobot_search_duckduckgo.engine:open_search",
            title="DuckDuckGo",
        )
    ]
