"""The turns that are over, as one flat list of messages, and where it may be cut.

The list is made once per turn, so that a request copies a slice of it, however long the session is.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from nanobot.messages import Message

from nanobot_engine_standard import codec

_KEEP_SHARE = 0.7
_LEAST_TURNS = 50  # for `/history`, which tells of more than a model may have room for
_TOKEN_BYTES = 4
_MESSAGE_BYTES = 300


def first_turn(sums: Sequence[int], total: int, budget: int) -> int:
    """Return the index of the first turn to send.

    The start moves on in steps of a good part of the budget, so that it stays the same for many
    turns. It follows from the sizes alone, so it is the same in every process.

    Args:
        sums: For each turn the tokens of all turns before it.
        total: The tokens of all turns.
    """
    excess = total - budget
    if excess <= 0:
        return 0
    step = max(budget - int(budget * _KEEP_SHARE), 1)
    return min(bisect_left(sums, -(-excess // step) * step), len(sums) - 1)


class Conversation:
    """Turns that are over, oldest first.

    Args:
        keep_tokens: How much must stay; older turns are forgotten once there is more.
    """

    def __init__(self, keep_tokens: int) -> None:
        self._keep = keep_tokens
        self._messages: list[Message] = []
        self._pictured: list[int] = []  # indices of the messages with pictures
        # For each turn, and at last for the one that follows them, where it starts and how many
        # tokens are before it, those of forgotten turns included.
        self._starts = [0]
        self._sums = [0]

    def add(self, messages: Sequence[Message], tokens: int) -> None:
        """Add a turn."""
        for message in messages:
            if codec.has_stored(message):
                self._pictured.append(len(self._messages))
            self._messages.append(message)
        self._starts.append(len(self._messages))
        self._sums.append(self._sums[-1] + tokens)
        if self._tokens > self._keep * 1.25 and len(self._sums) > _LEAST_TURNS:
            self._forget()

    def clear(self) -> None:
        """Forget all."""
        self._messages, self._pictured = [], []
        self._starts, self._sums = [0], [0]

    def _forget(self) -> None:
        turns = bisect_left(self._sums, self._sums[-1] - self._keep) - 1
        turns = max(min(turns, len(self._sums) - _LEAST_TURNS), 0)
        first = self._starts[turns]
        del self._messages[:first], self._sums[:turns]
        self._starts = [start - first for start in self._starts[turns:]]
        self._pictured = [index - first for index in self._pictured if index >= first]

    @property
    def _tokens(self) -> int:
        return self._sums[-1] - self._sums[0]

    @property
    def weight(self) -> int:
        """Return about how many bytes of memory this takes."""
        return self._tokens * _TOKEN_BYTES + len(self._messages) * _MESSAGE_BYTES

    def cut(self, running: int, budget: int) -> tuple[list[Message], list[int]]:
        """Return the last turns that fit, and where in them messages with pictures are.

        Args:
            running: Tokens of the turn that runs, which follows these.
            budget: Most tokens of all.
        """
        first = self._starts[first_turn(self._sums, self._sums[-1] + running, budget)]
        pictured = self._pictured[bisect_left(self._pictured, first) :]
        return self._messages[first:], [index - first for index in pictured]

    def backwards(self) -> Iterator[Message]:
        """Return the messages, newest first."""
        return reversed(self._messages)
