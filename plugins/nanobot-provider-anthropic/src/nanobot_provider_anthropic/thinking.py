"""What a model's name says about thinking, and the request fields for a reasoning effort.

The rules are those of the vendor's page "Thinking support, defaults, and rejected configurations by
model": models up to 4.5 think within a budget; from 4.6 on they decide for themselves; from 4.7 on
budgets and sampling parameters are refused; from 5 on thinking is on unless it is switched off; and
on some it can not be.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

ANSWER_ROOM = 4096
"""Tokens that stay for the answer when a budget would use up ``max_tokens``."""

BUDGETS: Mapping[str, int] = {
    "minimal": 1024,
    "low": 2048,
    "medium": 4096,
    "high": 8192,
    "xhigh": 16_384,
    "max": 24_576,
}

_LEVELS: Mapping[str, str] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "xhigh",
    "max": "max",
}

_CLAUDE = re.compile(
    r"(?<![a-z0-9])claude(?:-(?P<line>[a-z]+))?"
    r"(?:-(?P<major>\d{1,2})(?:[-.](?P<minor>\d{1,2}))?(?!\d))?"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Abilities:
    """What a model accepts.

    Args:
        adaptive: Thinks as much as it sees fit, guided by an effort; else within a budget.
        sampling: Accepts a temperature while it does not think.
        off: How to keep it from thinking: leave the field out, say so, or not at all.
        xhigh: Knows the effort between high and max.
    """

    adaptive: bool
    sampling: bool
    off: Literal["omit", "disabled", "never"]
    xhigh: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """The request fields for one effort.

    Args:
        fields: Members to add to the request.
        max_tokens: The limit to send, above the budget.
        thinks: True when the model is asked to think.
    """

    fields: Mapping[str, Any]
    max_tokens: int
    thinks: bool = False


def abilities(model: str) -> Abilities:
    """Read from a model's name what it accepts; a Claude of unknown age counts as the newest."""
    found = _CLAUDE.search(model.lower())
    if not found:  # another vendor's model behind the same API
        return Abilities(adaptive=False, sampling=True, off="omit")
    line = found["line"] or ""
    if found["major"] is None:
        return Abilities(adaptive=True, sampling=False, off="never")
    version = (int(found["major"]), int(found["minor"] or 0))
    if version < (4, 6):
        return Abilities(adaptive=False, sampling=True, off="omit")
    if version < (4, 7):
        return Abilities(adaptive=True, sampling=True, off="omit", xhigh=False)
    if version < (5, 0):
        return Abilities(adaptive=True, sampling=False, off="omit")
    optional = line in ("sonnet", "haiku") or (line == "opus" and version < (5, 5))
    return Abilities(adaptive=True, sampling=False, off="disabled" if optional else "never")


def plan(model: str, effort: str | None, max_tokens: int) -> Plan:
    """Return the fields that ask a model for an effort; no effort leaves all to the vendor."""
    limit = max(max_tokens, 1)
    if effort is None:
        return Plan(fields={}, max_tokens=limit)
    able = abilities(model)
    effort = "minimal" if effort == "minimum" else effort
    if not able.adaptive:
        return _budget(effort, limit)
    if effort == "adaptive":
        return Plan(fields={"thinking": _ADAPTIVE}, max_tokens=limit, thinks=True)
    if effort in ("none", "minimal") and able.off != "never":
        fields: dict[str, Any] = {}
        if able.off == "disabled":
            fields["thinking"] = {"type": "disabled"}
        if effort == "minimal":
            fields["output_config"] = {"effort": "low"}
        return Plan(fields=fields, max_tokens=limit)
    level = "low" if effort == "none" else _LEVELS.get(effort, "medium")
    if level == "xhigh" and not able.xhigh:
        level = "max"
    fields = {"thinking": _ADAPTIVE, "output_config": {"effort": level}}
    return Plan(fields=fields, max_tokens=limit, thinks=True)


_ADAPTIVE: Mapping[str, str] = {"type": "adaptive", "display": "summarized"}
"""Newer models show no thinking unless it is asked for."""


def _budget(effort: str, limit: int) -> Plan:
    if effort == "none":
        return Plan(fields={}, max_tokens=limit)
    budget = BUDGETS.get(effort, BUDGETS["medium"])
    return Plan(
        fields={"thinking": {"type": "enabled", "budget_tokens": budget}},
        max_tokens=max(limit, budget + ANSWER_ROOM),
        thinks=True,
    )
