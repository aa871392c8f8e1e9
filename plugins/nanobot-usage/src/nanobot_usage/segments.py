"""Which piece of a prompt has which share of its tokens, estimated by characters."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nanobot.messages import Image, Message, Part, Text, UserMessage
from nanobot.provider import ModelRequest
from nanobot.specs import ToolDefinition

CHARACTERS_A_TOKEN = 4
"""For calls of which the vendor has reported nothing."""
_IMAGE = 4_000  # characters that a picture stands for; about what vendors take for a middling one
_SESSIONS = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class _Past:
    """Messages that were measured; the next request of the session begins with them too."""

    first: Message
    last: Message
    count: int
    words: int
    results: int


class Sizer:
    """Measures requests; remembers what does not change from one to the next."""

    def __init__(self) -> None:
        self._tools: tuple[tuple[ToolDefinition, ...], int] = (), 0
        self._past: OrderedDict[str, _Past] = OrderedDict()

    def characters(self, request: ModelRequest) -> dict[str, int]:
        """Return the characters of each piece of a prompt.

        They are ``system.<name>`` for each system segment, ``tools`` for the tools' schemas,
        ``history`` for what was said, ``results`` for what tools returned, and ``message`` for
        the user's last message.
        """
        sizes = {f"system.{segment.name}": len(segment.text) for segment in request.system}
        sizes["tools"] = self._of_tools(request.tools)
        words, results = self._measured(request.cache_key, request.messages)
        message = next((m for m in reversed(request.messages) if isinstance(m, UserMessage)), None)
        own = _of_message(message)[0] if message else 0
        return {**sizes, "history": words - own, "results": results, "message": own}

    def _of_tools(self, tools: tuple[ToolDefinition, ...]) -> int:
        if self._tools[0] != tools:
            self._tools = tools, sum(map(_of_tool, tools))
        return self._tools[1]

    def _measured(self, session: str, messages: Sequence[Message]) -> tuple[int, int]:
        """Return the characters that were said, and those that tools returned.

        A conversation only grows at its end, so all but what is new was measured before when both
        ends of what was measured still stand where they stood.
        """
        past = self._past.pop(session, None)
        words = results = start = 0
        if (
            past is not None
            and len(messages) > past.count
            and messages[0] is past.first
            and messages[past.count - 1] is past.last
        ):
            start, words, results = past.count, past.words, past.results
        for number in range(start, len(messages)):
            if number and number == len(messages) - 1:  # the last may be another one next time
                self._keep(session, messages, number, words, results)
            more = _of_message(messages[number])
            words += more[0]
            results += more[1]
        return words, results

    def _keep(
        self, session: str, messages: Sequence[Message], count: int, words: int, results: int
    ) -> None:
        self._past[session] = _Past(
            first=messages[0],
            last=messages[count - 1],
            count=count,
            words=words,
            results=results,
        )
        if len(self._past) > _SESSIONS:
            self._past.popitem(last=False)


def _of_tool(tool: ToolDefinition) -> int:
    schema = json.dumps(tool.parameters, default=str)
    return len(tool.name) + len(tool.description) + len(schema)


def _of_message(message: Message) -> tuple[int, int]:
    if isinstance(message, UserMessage):
        return _of_parts(message.parts) + len(message.context), 0
    words, results = len(message.text), 0
    for use in message.tool_uses:
        words += len(use.call.name) + len(use.call.arguments)
        results += _of_parts(use.result.parts)
    return words, results


def _of_parts(parts: tuple[Part, ...]) -> int:
    size = 0
    for part in parts:
        if isinstance(part, Text):
            size += len(part.text)
        else:
            size += _IMAGE if isinstance(part, Image) else len(part.path)
    return size


def shared(total: int, weights: Mapping[str, int]) -> dict[str, int]:
    """Divide a whole number by weights; the parts sum up to it."""
    whole = sum(weights.values())
    if not whole:
        last = next(reversed(list(weights)), "")
        return {**dict.fromkeys(weights, 0), last: total}
    parts = {name: total * weight // whole for name, weight in weights.items()}
    left = total - sum(parts.values())
    for name in sorted(weights, key=lambda name: -(total * weights[name] % whole))[:left]:
        parts[name] += 1
    return parts
