"""Registers the sandbox."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_tool_exec.specs import SandboxSpec

from nanobot_sandbox_bwrap.config import BwrapConfig


@hookimpl
def nanobot_sandboxes() -> Iterable[SandboxSpec]:
    """Return the sandbox."""
    yield SandboxSpec(
        name="bwrap",
        factory="nanobot_sandbox_bwrap.sandbox:open_sandbox",
        config=BwrapConfig,
        title="bubblewrap",
        order=10,
    )
