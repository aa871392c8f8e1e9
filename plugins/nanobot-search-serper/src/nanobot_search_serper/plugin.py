"""Registers Serper."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import SearchSpec


@hookimpl
def nanobot_search() -> list[SearchSpec]:
    """Return the engine."""
    return [
        SearchSpec(
            name="serper", factory="nanobot_search_serper.engine:open_search", title="Serper"
        )
    ]
