"""The runtime: imported when the model first rolls."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn
from nanobot.tool import Tool, ToolRequest

from nanobot_tool_dice.config import DiceConfig

MAX_COUNT = 100
MAX_SIDES = 1000


class Dice:
    """Rolls dice.

    Args:
        default_sides: Sides of a die when a call does not name them.
        chance: Where the numbers come from.
    """

    def __init__(self, default_sides: int, chance: random.Random) -> None:
        self._default_sides = default_sides
        self._chance = chance

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run one call."""
        if request.name != "roll_dice":
            return ToolResult.error("unknown_tool", f"There is no tool {request.name!r} here.")
        count = _number(request, "count", 1, least=1, most=MAX_COUNT)
        sides = _number(request, "sides", self._default_sides, least=2, most=MAX_SIDES)
        rolled = [self._chance.randint(1, sides) for _ in range(count)]
        return ToolResult.ok(f"{count}d{sides}: {', '.join(map(str, rolled))} (sum {sum(rolled)})")


def _number(request: ToolRequest, name: str, default: int, *, least: int, most: int) -> int:
    """Return an argument; the host has checked it against the schema, other callers may not."""
    value = request.arguments.get(name, default)
    if not isinstance(value, int) or not least <= value <= most:
        raise ToolError(f"{name} must be a number from {least} to {most}", kind="bad_arguments")
    return value


@asynccontextmanager
async def open_tool(config: DiceConfig, context: PluginContext) -> AsyncIterator[Tool]:
    """Open the dice."""
    context.log.debug("dice_ready", default_sides=config.default_sides)
    yield Dice(config.default_sides, random.SystemRandom())
