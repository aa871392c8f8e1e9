"""What the model and the user are told when a turn must stop before it is done."""

from __future__ import annotations

from nanobot.engine import Limits
from nanobot.messages import StopReason, ToolResult

NOT_RUN = ToolResult.error("not_run", "Not run: another call of the same answer was blocked.")
_WRAP_UP = {
    StopReason.MAX_ITERATIONS: "The limit of {limit} tool rounds for one turn is reached.",
    StopReason.NO_PROGRESS: "The tool calls lead nowhere.",
}
_SUM_UP = (
    " No more tools can run. Tell the user what was done, what was found, and what is left open."
)


def wrap_up(reason: StopReason, limits: Limits) -> str:
    """Return the request for a last answer in words; empty where the model is not asked again."""
    if reason not in _WRAP_UP:
        return ""
    return _WRAP_UP[reason].format(limit=limits.max_iterations) + _SUM_UP


def in_words(reason: StopReason, limits: Limits) -> str:
    """Say in words for the user why a turn had to stop."""
    texts = {
        StopReason.MAX_ITERATIONS: f"I stopped after {limits.max_iterations} rounds of tool calls "
        "without a final answer. Say “go on” to continue, or raise "
        "agents.defaults.maxToolIterations.",
        StopReason.NO_PROGRESS: "I stopped because my tool calls kept giving the same results. "
        "Tell me more about what you need.",
        StopReason.TOKEN_LIMIT: f"I stopped because this turn used its {limits.max_turn_tokens} "
        "tokens (agents.defaults.maxTurnTokens). Say “go on” to continue.",
        StopReason.TIME_LIMIT: f"I stopped because this turn took longer than "
        f"{limits.turn_timeout_s:g} s (agents.defaults.turnTimeoutS). Say “go on” to continue.",
    }
    return texts.get(reason, "I stopped before I was done.")
