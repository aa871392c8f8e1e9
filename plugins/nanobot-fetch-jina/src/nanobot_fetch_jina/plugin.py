"""Registers Jina Reader."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.config import EngineConfig
from nanobot_tool_web.specs import FetchSpec


@hookimpl
def nanobot_fetch() -> list[FetchSpec]:
    """Return the reader."""
    return [
        FetchSpec(
            name="jina",
            factory="nanobot_fetch_jina.reader:open_fetch",
            config=EngineConfig,
            title="Jina Reader",
            remote=True,
        )
    ]
