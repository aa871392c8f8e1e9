"""Token counts without a tokenizer: an estimate from the text's length, good to about a fifth.

A tokenizer would have to be downloaded and belongs to one vendor. Counts are made once per message
and kept with it.
"""

from __future__ import annotations

import json

from nanobot.messages import AssistantMessage, Image, Message, Part, UserMessage, text_of
from nanobot.specs import ToolDefinition

IMAGE_TOKENS = 1200
_MESSAGE_TOKENS = 4


def of_text(text: str) -> int:
    """Estimate the tokens of a text: four ASCII characters each, or about one wide character."""
    characters = len(text)
    if text.isascii():
        return characters // 4 + 1
    wide = (len(text.encode("utf-8", "replace")) - characters) // 2
    return (characters - min(wide, characters)) // 4 + wide + 1


def of_parts(parts: tuple[Part, ...]) -> int:
    """Estimate the tokens of some parts."""
    pictures = sum(IMAGE_TOKENS for part in parts if isinstance(part, Image))
    return of_text(text_of(parts)) + pictures


def of_message(message: Message) -> int:
    """Estimate the tokens of a message with all that it carries."""
    if isinstance(message, UserMessage):
        return _MESSAGE_TOKENS + of_parts(message.parts) + of_text(message.context)
    return _MESSAGE_TOKENS + of_assistant(message)


def of_assistant(message: AssistantMessage) -> int:
    """Estimate the tokens of an answer, its tool calls and their results."""
    total = of_text(message.text) + sum(of_text(block.text) for block in message.reasoning)
    for use in message.tool_uses:
        total += 2 * _MESSAGE_TOKENS + of_text(use.call.name) + of_text(use.call.arguments)
        total += of_parts(use.result.parts)
    return total


class OfTools:
    """Estimates the tokens of tool definitions, which are the same from turn to turn."""

    def __init__(self) -> None:
        self._last: tuple[ToolDefinition, ...] = ()
        self._size = 0

    def __call__(self, tools: tuple[ToolDefinition, ...]) -> int:
        if tools != self._last:
            self._last, self._size = tools, of_tools(tools)
        return self._size


def of_tools(tools: tuple[ToolDefinition, ...]) -> int:
    """Estimate the tokens of tool definitions."""
    return sum(
        of_text(tool.description) + of_text(json.dumps(tool.parameters, default=str)) + 8
        for tool in tools
    )
