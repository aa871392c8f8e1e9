"""Registers the tools that look back."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.messages import Effects, Role
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_sessions.config import SessionsConfig

_EFFECTS = Effects(read_only=True)
_LIST = ToolDefinition(
    name="list_sessions",
    description=(
        "List this user's earlier conversations, newest first, with their keys and what was said "
        "last. Use it when the user speaks of another chat."
    ),
    parameters={
        "type": "object",
        "properties": {
            "limit": {"type": "integer", "minimum": 1, "maximum": 50},
        },
        "additionalProperties": False,
    },
    effects=_EFFECTS,
    role=Role.USER,
)
_SEARCH = ToolDefinition(
    name="search_sessions",
    description="Search this user's earlier conversations; returns excerpts, newest first.",
    parameters={
        "type": "object",
        "properties": {
            "query": {"type": "string", "description": "Words that are all in one message."},
        },
        "required": ["query"],
        "additionalProperties": False,
    },
    effects=_EFFECTS,
    role=Role.USER,
)
_READ = ToolDefinition(
    name="read_session",
    description=(
        "Read messages of an earlier conversation: the last ones, those before a number, or those "
        "that hold all words of a query."
    ),
    parameters={
        "type": "object",
        "properties": {
            "session_key": {"type": "string", "maxLength": 500},
            "query": {"type": "string"},
            "before": {"type": "integer"},
        },
        "required": ["session_key"],
        "additionalProperties": False,
    },
    effects=_EFFECTS,
    role=Role.USER,
)


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the one spec that carries all of them."""
    yield ToolSpec(
        name="sessions",
        factory="nanobot_tool_sessions.tool:open_tool",
        config=SessionsConfig,
        title="Earlier conversations",
        tools=(_LIST, _SEARCH, _READ),
    )
