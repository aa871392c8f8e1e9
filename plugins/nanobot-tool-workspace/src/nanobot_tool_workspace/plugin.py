"""Registers the tools in the workspace; which they are is known once it was looked into."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.specs import ToolSpec

from nanobot_tool_workspace.config import WorkspaceConfig

SPEC = ToolSpec(
    name="workspace",
    factory="nanobot_tool_workspace.opening:open_tool",
    config=WorkspaceConfig,
    title="Tools in the workspace",
)


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the one spec for all of them."""
    yield SPEC
