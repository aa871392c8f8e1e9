"""Registers Volcengine."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import SearchSpec


@hookimpl
def nanobot_search() -> list[SearchSpec]:
    """Return the engine."""
    return [
        SearchSpec(
            name="volcengine",
            factory="nanobot_search_volcengine.engine:open_search",
            title="Volcengine",
        )
    ]
