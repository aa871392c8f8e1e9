"""Registers the tool ``ask_user``."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.messages import Effect, Effects, Role
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_ask.config import AskConfig

MOST_CHOICES = 12

ASK_USER = ToolDefinition(
    name="ask_user",
    description=(
        "Ask the user one question and wait for the answer, which may be none of the choices. Only "
        "for a decision or fact that you need to go on and can not find out; not at the end of "
        "your work."
    ),
    parameters={
        "type": "object",
        "properties": {
            "question": {
                "type": "string",
                "description": "Complete in itself, in the user's language.",
            },
            "choices": {
                "type": "array",
                "items": {
                    "anyOf": [
                        {"type": "string"},
                        {
                            "type": "object",
                            "properties": {
                                "label": {"type": "string"},
                                "description": {"type": "string"},
                            },
                            "required": ["label"],
                        },
                    ]
                },
                "maxItems": MOST_CHOICES,
                "description": "Short answers; an object explains its label.",
            },
        },
        "required": ["question"],
        "additionalProperties": False,
    },
    effects=Effects(touches=frozenset({Effect.SEND}), idempotent=True),
    deadline_s=3600.0,
    role=Role.USER,
    spill=False,
)


@hookimpl
def nanobot_tools() -> Iterable[ToolSpec]:
    """Return the tool."""
    yield ToolSpec(
        name="ask",
        factory="nanobot_tool_ask.tool:open_tool",
        config=AskConfig,
        title="Questions",
        tools=(ASK_USER,),
    )
