"""Registers Keenable."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import SearchSpec


@hookimpl
def nanobot_search() -> list[SearchSpec]:
    """Return the engine."""
    return [
        SearchSpec(
            name="keenable", factory="nanobot_search_keenable.engine:open_search", title="Keenable"
        )
    ]
