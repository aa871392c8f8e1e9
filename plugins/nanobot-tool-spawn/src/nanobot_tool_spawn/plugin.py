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
        "Hand work on to a subagent that has a conversation of its own and knows nothing of this "
        "one. Use it for work that takes long, or that can be done beside other work. Its result "
        "comes later as a message, unless you wait for it; until then go on, or end your turn. "
        "It can not ask the user and can not hand work on itself."
    ),
    parameters={
        "type": "object",
        "properties": {
            "task": {
                "type": "string",
                "description": "All that the subagent must know: what to do, where, and what to "
                "report.",
            },
            "label": {"type": "string", "description": "What the user calls it, in a few words."},
            "profile": {
                "type": "string",
                "description": "Kind of subagent, by its configured name; leave it out for the "
                "usual one. A wrong name is answered with those there are.",
            },
            "wait": {
                "type": "boolean",
                "description": "True to wait for the result and read it at once.",
            },
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
