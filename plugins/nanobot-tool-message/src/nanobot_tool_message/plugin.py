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
        "Send a message to a chat now, with files if need be; the result says whether it arrived. "
        "Without channel and chat_id it goes to the current chat, where your final answer is not "
        "shown afterwards: answer there as usual, and use this only to send files or buttons. "
        "Other chats are for owners only."
    ),
    parameters={
        "type": "object",
        "properties": {
            "content": {"type": "string", "description": "The text, in markdown."},
            "channel": {
                "type": "string",
                "description": "Channel of another chat, such as telegram; needs chat_id.",
            },
            "chat_id": {
                "type": "string",
                "description": "Another chat; on the current channel unless channel is given.",
            },
            "media": {
                "type": "array",
                "items": {"type": "string"},
                "description": "Paths of files to attach.",
            },
            "buttons": {
                "type": "array",
                "items": {"type": "array", "items": {"type": "string"}},
                "description": "Rows of labels that the reader may press instead of typing them.",
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
