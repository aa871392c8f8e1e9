"""What to do with a model's answer: run its tools, ask again, or take it as final.

Answers that are blank, cut off, or call tools without a name are asked for again, a few times, with
a note that the model sees once and that no transcript keeps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto

from nanobot.messages import FinishReason, ToolCall
from nanobot.provider import ModelFinish

MAX_CONTINUATIONS = 3
MAX_BLANKS = 3
MAX_NAMELESS = 2
_TAIL = 64
_REFUSED = (FinishReason.CONTENT_FILTER, FinishReason.REFUSAL)

CONTINUE = (
    "Your answer was cut off. Go on exactly where it stopped; repeat "
    "nothing. It ended with: {tail!r}"
)
CUT_CALL = (
    "Your last answer was cut off at the length limit within a tool call, so no tool ran. "
    "Do it in smaller pieces."
)
BLANK = "You gave no answer. Answer the user now, in words."
NAMELESS = "Your tool calls had no name, so none ran. Call tools by name, or answer in words."
EMPTY = "The model finished its steps but gave no answer in words. Ask again, or ask for a summary."


def cut_off(text: str) -> str:
    """Return the request to go on with an answer that was cut off."""
    return CONTINUE.format(tail=text[-_TAIL:])


class Next(Enum):
    """What follows an answer."""

    TOOLS = auto()
    AGAIN = auto()
    DONE = auto()
    EMPTY = auto()


@dataclass(frozen=True, kw_only=True, slots=True)
class Decision:
    """What follows, and with what.

    Args:
        calls: Tool calls to run.
        note: What the model must be told when it is asked again.
        notice: What the user is told about it.
        content: The final answer.
    """

    next: Next
    calls: tuple[ToolCall, ...] = ()
    note: str = ""
    notice: str = ""
    content: str = ""


class Recovery:
    """Decides on the answers of one turn.

    Args:
        pieces: What an answer that was cut off has said so far.
    """

    def __init__(self, pieces: Iterable[str] = ()) -> None:
        self._pieces = list(pieces)
        self._blanks = 0
        self._nameless = 0

    @property
    def continues(self) -> bool:
        """Tell whether the next answer goes on where the last one was cut off."""
        return bool(self._pieces)

    @property
    def without_tools(self) -> bool:
        """Tell whether the next request must forbid tools, since words are what is missing."""
        return self._blanks >= MAX_BLANKS - 1 or self._nameless >= MAX_NAMELESS

    def decide(self, finish: ModelFinish, text: str) -> Decision:
        """Decide what follows an answer."""
        calls = self._runnable(finish)
        if calls:
            self._pieces.clear()
            self._blanks = self._nameless = 0
            return Decision(next=Next.TOOLS, calls=calls)
        if finish.reason is FinishReason.LENGTH and len(self._pieces) < MAX_CONTINUATIONS:
            self._pieces.append(text)
            note = CUT_CALL if finish.tool_calls else cut_off(text)
            notice = "The answer was cut off at the length limit; asking for the rest."
            return Decision(next=Next.AGAIN, note=note, notice=notice)
        if self._calls_nobody(finish, text) and self._nameless < MAX_NAMELESS:
            self._nameless += 1
            notice = "The model called tools without a name; asking again."
            return Decision(next=Next.AGAIN, note=NAMELESS, notice=notice)
        if text.strip() or self._pieces or finish.reason in _REFUSED:
            return self._words(finish, text)
        if self.without_tools:
            return Decision(next=Next.EMPTY, content=EMPTY)
        self._blanks += 1
        note = BLANK if self.without_tools else ""
        return Decision(next=Next.AGAIN, note=note, notice="The answer was empty; asking again.")

    def _runnable(self, finish: ModelFinish) -> tuple[ToolCall, ...]:
        """Return the calls of an answer that may run: named ones of an answer that was not cut."""
        if self.without_tools or finish.reason not in (FinishReason.TOOL_CALLS, FinishReason.STOP):
            return ()
        return _told_apart(call for call in finish.tool_calls if call.name)

    @staticmethod
    def _calls_nobody(finish: ModelFinish, text: str) -> bool:
        if not finish.tool_calls or any(call.name for call in finish.tool_calls):
            return False
        asked = finish.reason is FinishReason.TOOL_CALLS
        return asked or (finish.reason is FinishReason.STOP and not text.strip())

    def _words(self, finish: ModelFinish, text: str) -> Decision:
        content = "".join([*self._pieces, text])
        if content.strip():
            return Decision(next=Next.DONE, content=content)
        if finish.reason in _REFUSED:
            return Decision(next=Next.EMPTY, content="The model refused to answer this.")
        return Decision(next=Next.EMPTY, content=EMPTY)


def _told_apart(calls: Iterable[ToolCall]) -> tuple[ToolCall, ...]:
    """Give calls without an id, or with the id of another, one of their own."""
    made: dict[str, ToolCall] = {}
    for call in calls:
        name, number = call.id, 1
        while not name or name in made:
            number += 1
            name = f"{call.id or call.name}-{number}"
        made[name] = call if name == call.id else replace(call, id=name)
    return tuple(made.values())
