"""What this plugin offers: the tool ``roll_dice``."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.messages import Effects
from nanobot.specs import ToolDefinition, ToolSpec

from nanobot_tool_dice.config import DiceConfig

ROLL_DICE = ToolDefinition(
    name="roll_dice",
    description="Roll dice and return each number and the sum. Use it whenever chance decides.",
    parameters={
        "type": "object",
        "properties": {
            "count": {
                "type": "integer",
                "minimum": 1,
                "maximum": 100,
                "description": "How many dice, 1 when left out.",
            },
            "sides": {
                "type": "integer",
                "minimum": 2,
                "maximum": 1000,
                "description": "Sides of each die; the user's default when left out.",
            },
        },
        "additionalProperties": False,
    },
    effects=Effects(read_only=True),
    deadline_s=5.0,
)


@hookimpl
def nanobot_tools() -> list[ToolSpec]:
    """Return the dice."""
    return [
        ToolSpec(
            name="dice",
            factory="nanobot_tool_dice.tool:open_tool",
            config=DiceConfig,
            title="Dice",
            tools=(ROLL_DICE,),
        )
    ]
