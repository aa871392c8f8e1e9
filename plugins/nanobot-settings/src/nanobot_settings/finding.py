"""A remark on a document."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One remark on the configuration.

    Args:
        path: Where, such as ``agents.defaults.maxTokens``; empty for the file as a whole.
        severity: ``error`` when it has no effect, ``warning`` when risky, ``info`` when put right.
        message: What, without any value of the configuration.
        remedy: What to do next.
    """

    path: str
    severity: Literal["error", "warning", "info"]
    message: str
    remedy: str = ""

    def __str__(self) -> str:
        place = f"{self.path}: " if self.path else ""
        return f"{place}{self.message}" + (f"; {self.remedy}" if self.remedy else "")
