"""What the offline provider reads from a request, and what it may answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from nanobot.messages import AssistantMessage, ToolResult, ToolUse, UserMessage, text_of
from nanobot.provider import ModelRequest
from nanobot.specs import ToolDefinition


@dataclass(frozen=True, kw_only=True, slots=True)
class Say:
    """Answer, and be done."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Use:
    """Ask for a tool; the next request holds its result."""

    text: str
    tool: str
    arguments: Mapping[str, object]


Step = Say | Use


@dataclass(frozen=True, kw_only=True, slots=True)
class Situation:
    """One moment of a turn.

    Args:
        words: What the user said last.
        context: The volatile facts that came with it.
        memory: The memory section of the system prompt.
        tools: What may be called now, by name.
        uses: The tool calls since the user spoke, oldest first.
    """

    words: str
    context: str = ""
    memory: str = ""
    tools: Mapping[str, ToolDefinition]
    uses: tuple[ToolUse, ...] = ()

    def result(self, tool: str) -> ToolResult | None:
        """Return what a tool's last call since the user spoke came to; None if there was none."""
        results = [use.result for use in self.uses if use.call.name == tool]
        return results[-1] if results else None

    def knows(self, tool: str, argument: str) -> bool:
        """Tell whether a tool takes an argument."""
        definition = self.tools.get(tool)
        properties = definition.parameters.get("properties") if definition else None
        return isinstance(properties, Mapping) and argument in properties


def situation_of(request: ModelRequest) -> Situation:
    """Read a request."""
    spoken = UserMessage(parts=())
    uses: list[ToolUse] = []
    for message in request.messages:
        if isinstance(message, AssistantMessage):
            uses += message.tool_uses
        else:
            spoken, uses = message, []
    memory = [segment.text for segment in request.system if segment.name == "memory"]
    tools = request.tools if request.tool_choice == "auto" else ()
    return Situation(
        words=text_of(spoken.parts).strip(),
        context=spoken.context,
        memory="\n".join(memory),
        tools={tool.name: tool for tool in tools},
        uses=tuple(uses),
    )
