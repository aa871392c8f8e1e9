"""Where an interrupted turn stands, read from its records, so that it can go on from there."""

from __future__ import annotations

from dataclasses import dataclass

from nanobot.messages import FinishReason, StopReason, ToolCall, ToolResult

from nanobot_engine_standard.recovery import NAMELESS, cut_off
from nanobot_engine_standard.turns import Step, TurnRecord

MAX_RESUMES = 3
_CUT = (str(FinishReason.LENGTH), "interrupted")
_ASKED_AGAIN = str(FinishReason.TOOL_CALLS)  # of an answer without runnable calls

UNKNOWN_OUTCOME = ToolResult.error(
    "unknown_outcome",
    "The call was interrupted; it may or may not have had its effect. Find out before you repeat "
    "it, or tell the user.",
)
GIVEN_UP = (
    f"The turn was interrupted {MAX_RESUMES + 1} times, so it is not taken up again. Send the "
    "message once more if it is still needed."
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What is left to do of a turn.

    Args:
        asked: How often the model has answered.
        calls: Tool calls of the last answer that have no result.
        final: The final answer, when it is there, and all that is missing is the turn's end.
        stop: How the turn ends with it.
        pieces: The texts of an answer that was cut off and is to go on.
        note: What the model must be told when it is asked.
    """

    asked: int = 0
    calls: tuple[ToolCall, ...] = ()
    final: str | None = None
    stop: StopReason = StopReason.COMPLETED
    pieces: tuple[str, ...] = ()
    note: str = ""


def standing(turn: TurnRecord) -> Standing:
    """Tell where a turn stands."""
    asked = len(turn.answers())
    last = turn.steps[-1] if turn.steps else None
    if not isinstance(last, Step):
        return Standing(asked=asked)
    if last.calls:
        return Standing(asked=asked, calls=tuple(last.open_calls()))
    if last.stop in set(StopReason):
        return Standing(asked=asked, final=turn.content(), stop=StopReason(last.stop))
    if not last.text.strip():
        return Standing(asked=asked)
    if last.finish == _ASKED_AGAIN:
        return Standing(asked=asked, note=NAMELESS)
    if last.finish not in _CUT:
        return Standing(asked=asked, final=turn.content())
    pieces = tuple(step.text for step in turn.pieces())
    return Standing(asked=asked, pieces=pieces, note=cut_off(last.text))
