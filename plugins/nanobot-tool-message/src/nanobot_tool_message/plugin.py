"""Registers the tool ``message``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_message.config import MessageConfig

MESSAGE = ToolDefinition(
    name="message",
    description=(
        "Send a message now; the result says whether it arrived. In the current chat, the default, "
        "your final answer is then not shown: answer there as usual, and use this only for files "
        "or buttons. Only owners may send to other chats."
    ),
    parameters={
        "type": "object",
        "properties": {
            "content": {"type": "string"},
            "channel": {
                "type": "string",
                "description": "Another channel, such as telegram; needs chat_id.",
            },
            "chat_id": {"type": "string"},
            "media": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Paths of files.",
            },
            "buttons": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}},
                "description": "Rows of labels to answer with.",
            },
        },
        "required": ["content"],
        "additionalProperties": False,
    },
    effects=Effects(touches=frozenset({Effect.SEND, Effect.FS_READ}), idempotent=True),
    deadline_s=90.0,
    role=Role.USER,
)


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the tool."""
    yield ToolSpec(
        name="message",
        factory="nanobot_tool_message.tool:open_tool",
        config=MessageConfig,
        title="Messages",
        tools=(MESSAGE,),
    )
