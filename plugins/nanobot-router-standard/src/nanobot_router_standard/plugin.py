"""Registers the router."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.routing import RouterSpec


@hookimpl
def nanobot_routers() -> Iterable[RouterSpec]:
    """Offer the standard router."""
    yield RouterSpec(
        name="standard",
        factory="nanobot_router_standard.models:open_router",
        title="Presets, prefixes, keywords, and what is set up",
    )
