"""The hook of the extension point ``sandboxes``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookspec

from nanobot_tool_exec.specs import SandboxSpec


class Sandboxes:
    """Extension point ``sandboxes``."""

    @hookspec
    def nanobot_sandboxes(self) -> Iterable[SandboxSpec]:  # type: ignore[empty-body]
        """Return ways to confine programs. Entry-point group ``nanobot.v1.sandboxes``."""
