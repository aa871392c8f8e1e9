"""The dice keep every promise of a tool."""

from __future__ import annotations

from typing import ClassVar

from nanobot_testing import ToolContract


class TestDice(ToolContract):
    plugin = "tools.dice"
    config: ClassVar = {"defaultSides": 20}
    examples: ClassVar = {"roll_dice": [{}, {"count": 2, "sides": 6}]}
