"""Registers the reader."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_web.specs import FetchSpec


@hookimpl
def nanobot_fetch() -> list[FetchSpec]:
    """Return the reader."""
    return [
        FetchSpec(
            name="readability",
            factory="nanobot_fetch_readability.reader:open_fetch",
            title="Readability",
        )
    ]
