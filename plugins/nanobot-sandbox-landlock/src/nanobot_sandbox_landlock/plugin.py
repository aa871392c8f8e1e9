"""Registers the sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_exec.specs import SandboxSpec

from nanobot_sandbox_landlock.config import LandlockConfig


@hookimpl
def nanobot_sandboxes() -> Iterable[SandboxSpec]:
    """Return the sandbox."""
    yield SandboxSpec(
        name="landlock",
        factory="nanobot_sandbox_landlock.sandbox:open_sandbox",
        config=LandlockConfig,
        title="Landlock",
        order=20,
    )
