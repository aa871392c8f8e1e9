"""Registers the tool ``spawn``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_spawn.config import SpawnConfig

SPAWN = ToolDefinition(
    name="spawn",
    description=(
        "Hand work that is long, or can be done beside other work, to a subagent. Its result comes "
        "later as a message, unless you wait; until then go on, or end your turn. It knows nothing "
        "of this conversation and can neither ask the user nor hand work on."
    ),
    parameters={
        "type": "object",
        "properties": {
            "task": {
                "type": "string",
                "description": "All it must know: what to do, where, what to report.",
            },
            "label": {"type": "string", "description": "Shown to the user."},
            "profile": {
                "type": "string",
                "description": "A configured kind, if any.",
            },
            "wait": {"type": "boolean"},
        },
        "required": ["task"],
        "additionalProperties": False,
    },
    effects=Effects(touches=frozenset({Effect.SPEND}), idempotent=True),
    deadline_s=3600.0,
    role=Role.USER,
    concurrent=True,
)


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the tool."""
    yield ToolSpec(
        name="spawn",
        factory="nanobot_tool_spawn.tool:open_tool",
        config=SpawnConfig,
        title="Subagents",
        tools=(SPAWN,),
    )
