"""Findings on a place of the file, and how several are told."""

from __future__ import annotations

from collections.abc import Sequence

from nanobot._config.keys import Path, show
from nanobot.findings import Finding

_SHOWN = 10


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
