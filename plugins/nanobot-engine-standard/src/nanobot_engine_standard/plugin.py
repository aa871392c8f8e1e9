"""Registers the standard engine."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.engine import EngineSpec


@hookimpl
def nanobot_engines() -> Iterable[EngineSpec]:
    """Return the engine that runs turns as the documentation describes them."""
    return (
        EngineSpec(
            name="standard",
            factory="nanobot_engine_standard.agent:open_engine",
            title="Standard engine",
        ),
    )
