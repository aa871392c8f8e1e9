"""Registers the tool ``my``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.messages import Effects, Role
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_my.config import MyConfig

MY = ToolDefinition(
    name="my",
    description=(
        "Look at yourself: model, limits, version, workspace, chat and user of this turn, and your "
        "notes (scratchpad) of this conversation. 'check' shows all, or one key such as model, "
        "request.channel or scratchpad.plan. 'set' keeps a note under a key, if the user allows it."
    ),
    parameters={
        "type": "object",
        "properties": {
            "action": {"type": "string", "enum": ["check", "set"]},
            "key": {"type": "string"},
            "value": {"description": "Any JSON; null removes the note."},
        },
        "required": ["action"],
        "additionalProperties": False,
    },
    effects=Effects(idempotent=True),
    role=Role.USER,
)


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the tool."""
    yield ToolSpec(
        name="my",
        factory="nanobot_tool_my.tool:open_tool",
        config=MyConfig,
        title="Self-knowledge",
        tools=(MY,),
    )
