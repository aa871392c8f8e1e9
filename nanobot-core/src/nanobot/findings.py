"""Remarks on a configuration, and what a plugin is given that makes some."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from nanobot_settings.finding import Finding as Finding

from nanobot.specs import Spec


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
