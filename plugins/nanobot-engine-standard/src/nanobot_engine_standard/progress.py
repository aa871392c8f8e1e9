"""Decisions about a turn that goes wrong: repeated refusals, and work that leads nowhere."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

from nanobot.errors import OutsideWorkspace
from nanobot.messages import ToolCall, ToolResult

_REFUSALS_BEFORE_STOP = 2
_REPEATS_BEFORE_NUDGE = 3
_REPEATS_BEFORE_STOP = 6

NUDGE = (
    "The last calls gave nothing that you did not already have. Do something different, or answer "
    "with what you know."
)


class Refusals:
    """Counts refused targets within a turn, whatever tool they came through.

    Args:
        root: The folder that relative targets start from.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: Counter[str] = Counter()

    def escalate(self, result: ToolResult) -> ToolResult:
        """Return the result, or from the third attempt on a target, the stop-and-ask message."""
        if result.kind != OutsideWorkspace.kind:
            return result
        target = result.target or result.text
        place = self._place(target)
        self._seen[place] += 1
        if self._seen[place] <= _REFUSALS_BEFORE_STOP:
            return result
        return ToolResult.error(
            OutsideWorkspace.kind,
            f"Refused again: {target!r} lies outside the workspace, and this is attempt "
            f"{self._seen[place]} in this turn. Stop trying to reach it, by whatever tool. "
            "Tell the user what you need from there and ask how to go on.",
            target=target,
        )

    def _place(self, target: str) -> str:
        """Return where a target lies, whatever its spelling and the links on the way."""
        try:
            return os.path.realpath(self._root / Path(target).expanduser()).casefold()
        except (OSError, ValueError, RuntimeError):
            return target


class Progress:
    """Notices when tool calls bring nothing new.

    What counts is what was observed: a call with a result that this turn has already seen. A
    changed argument with a new result is progress; the hard limits of the turn end what this can
    not see.
    """

    def __init__(self) -> None:
        self._seen: set[bytes] = set()
        self._stale = 0

    def note(self, done: list[tuple[ToolCall, ToolResult]]) -> None:
        """Take in the calls of one iteration."""
        prints = {self._print(call, result) for call, result in done}
        self._stale = 0 if prints - self._seen else self._stale + 1
        self._seen |= prints

    @staticmethod
    def _print(call: ToolCall, result: ToolResult) -> bytes:
        text = "\x1f".join((call.name, call.arguments, result.kind, result.text))
        return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=16).digest()

    @property
    def nudge(self) -> str:
        """Return a hint for the model once it repeats itself."""
        return NUDGE if self._stale >= _REPEATS_BEFORE_NUDGE else ""

    @property
    def stuck(self) -> bool:
        """Tell whether the turn must end."""
        return self._stale >= _REPEATS_BEFORE_STOP
