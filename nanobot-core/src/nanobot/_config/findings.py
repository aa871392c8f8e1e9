"""What is wrong, or worth knowing, about a configuration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from nanobot._config.keys import Path, show

_SHOWN = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One remark on the configuration.

    Args:
        path: Where, such as ``agents.defaults.maxTokens``; empty for the file as a whole.
        severity: ``error`` for what has no effect or is refused, ``warning`` for what is likely
            wrong or risky, ``info`` for what was put right.
        message: What, without any value of the configuration.
        remedy: What to do next.
    """

    path: str
    severity: Literal["error", "warning", "info"]
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        """Return it as one line."""
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f"; {self.remedy}" if self.remedy else "")


def error(path: Path, message: str, remedy: str = "") -> Finding:
    """Return a finding of what has no effect or is refused."""
    return Finding(path=show(path), severity="error", message=message, remedy=remedy)


def warning(path: Path, message: str, remedy: str = "") -> Finding:
    """Return a finding of what is likely wrong or risky."""
    return Finding(path=show(path), severity="warning", message=message, remedy=remedy)


def did_you_mean(near: str | None) -> str:
    """Return the remedy for a misspelt name, if there is a name near it."""
    return f"did you mean {near}?" if near else ""


def listed(findings: Sequence[Finding]) -> str:
    """Return the findings as one line if there is one, else as a list of at most ten."""
    if len(findings) == 1:
        return str(findings[0])
    lines = [f"\n  - {finding}" for finding in findings[:_SHOWN]]
    if len(findings) > _SHOWN:
        lines.append(f"\n  … and {len(findings) - _SHOWN} more")
    return f"{len(findings)} problems" + "".join(lines)
