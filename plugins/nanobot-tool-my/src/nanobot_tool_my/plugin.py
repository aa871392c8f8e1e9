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
        "Look at yourself: your model, limits, version and workspace, the chat and user of this "
        "turn, and your notes (scratchpad) of this conversation. 'check' without a key shows all; "
        "with a key one thing, such as model, request.channel or scratchpad.plan. 'set' keeps a "
        "note of this conversation under a key, where the user has allowed it; null removes it."
    ),
    parameters={
        "type": "object",
        "properties": {
            "action": {
                "type": "string",
                "enum": ["check", "set"],
                "description": "Look, or keep a note.",
            },
            "key": {
                "type": "string",
                "description": "What to look at, or the name of the note; dots lead into objects.",
            },
            "value": {"description": "The note: any JSON value; null removes it."},
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
