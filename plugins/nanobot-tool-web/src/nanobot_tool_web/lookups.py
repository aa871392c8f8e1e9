"""What a turn has looked up already."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from nanobot.errors import ToolError

MOST_LOOKUPS = 2
_TURNS = 64

T = TypeVar("T")


class _Seen(Generic[T]):
    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.found: dict[tuple[str, str], T] = {}


class Lookups(Generic[T]):
    """Answers a repeated look-up of a turn from memory, and refuses the third.

    Models that get nowhere tend to ask the same again. Only the last turns are remembered.
    """

    def __init__(self) -> None:
        self._turns: OrderedDict[str, _Seen[T]] = OrderedDict()

    async def once(
        self, turn: str, key: str, variant: str, look_up: Callable[[], Awaitable[T]]
    ) -> T:
        """Return what a look-up gives; one that failed is tried again.

        Args:
            key: What is looked up; the same within a turn counts as repeated.
            variant: How it is looked up; only the same is answered from memory.

        Raises:
            ToolError: kind ``repeated``, from the third time on.
        """
        seen = self._turns.setdefault(turn, _Seen())
        self._turns.move_to_end(turn)
        while len(self._turns) > _TURNS:
            self._turns.popitem(last=False)
        seen.counts[key] += 1
        if seen.counts[key] > MOST_LOOKUPS:
            raise ToolError(
                f"This was looked up {MOST_LOOKUPS} times in this turn already. Use those results, "
                "look for something else, or answer with what you know.",
                kind="repeated",
            )
        if (key, variant) not in seen.found:
            seen.found[key, variant] = await look_up()
        return seen.found[key, variant]
