"""Registers Bocha."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import SearchSpec


@hookimpl
def nanobot_search() -> list[SearchSpec]:
    """Return the engine."""
    return [
        SearchSpec(name="bocha", factory="nanobot_search_bocha.engine:open_search", title="Bocha")
    ]
