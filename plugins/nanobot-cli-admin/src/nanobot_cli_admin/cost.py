"""What the tools cost before any is used: their schemas go to the model with every call."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from nanobot.admin import Plugin
from nanobot.specs import ToolDefinition, ToolSpec

_BYTES_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What one tool's schema costs.

    Args:
        plugin: Id of the plugin that offers it.
        bytes: Length as it is sent in the most common dialect, chat completions.
    """

    plugin: str
    tool: str
    bytes: int

    @property
    def tokens(self) -> int:
        """Return a guess at the tokens; each vendor counts in its own way."""
        return tokens(self.bytes)


def tokens(length: int) -> int:
    """Guess how many tokens so many bytes are."""
    return -(-length // _BYTES_PER_TOKEN)


def costs(plugins: Iterable[Plugin]) -> list[Cost]:
    """Return what the tools of some plugins cost, the dearest first."""
    found = [
        Cost(plugin=plugin.id, tool=tool.name, bytes=len(_sent(tool)))
        for plugin in plugins
        if isinstance(plugin.spec, ToolSpec)
        for tool in plugin.spec.tools
    ]
    return sorted(found, key=lambda cost: (-cost.bytes, cost.tool))


def _sent(tool: ToolDefinition) -> bytes:
    function = {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
    }
    sent = {"type": "function", "function": function}
    return json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()
