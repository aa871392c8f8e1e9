"""Remarks on a configuration, and what a plugin is given that makes some."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from nanobot.specs import Spec


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


@dataclass(frozen=True, kw_only=True, slots=True)
class AdviceRequest:
    """An instance that is starting.

    Args:
        document: Its configuration; ``${VAR}`` is as it is written, sections are not validated.
        installed: Names of the installed plugins by kind, loaded or not.
        specs: What the loaded plugins offer, by kind; their sections are judged already.
    """

    document: Mapping[str, Any] = field(repr=False)
    installed: Mapping[str, Collection[str]]
    specs: Mapping[str, Collection[Spec]]
