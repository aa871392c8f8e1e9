"""Registers Jina."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import SearchSpec


@hookimpl
def nanobot_search() -> list[SearchSpec]:
    """Return the engine."""
    return [SearchSpec(name="jina", factory="nanobot_search_jina.engine:open_search", title="Jina")]
