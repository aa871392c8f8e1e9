"""How many pictures a turn may still make."""

from __future__ import annotations

from collections import OrderedDict

from nanobot.errors import ToolError

_REMEMBERED = 1000


class Allowance:
    """Counts pictures by turn; turns that are long over are forgotten.

    Args:
        most: Pictures that one turn may make.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._made: OrderedDict[str, int] = OrderedDict()

    def take(self, turn: str, count: int) -> None:
        """Set some pictures aside for a turn.

        Raises:
            ToolError: kind ``limit``: the turn may not make so many.
        """
        made = self._made.get(turn, 0)
        if made + count > self._most:
            left = self._most - made
            raise ToolError(
                f"A turn may make {self._most} pictures; {left} are left for this one, and {count} "
                "were asked for. tools.imageGeneration.maxImagesPerTurn sets the limit.",
                kind="limit",
            )
        self._made[turn] = made + count
        self._made.move_to_end(turn)
        while len(self._made) > _REMEMBERED:
            self._made.popitem(last=False)

    def give_back(self, turn: str, count: int) -> None:
        """Return what was set aside and not made."""
        if turn in self._made:
            self._made[turn] -= count
