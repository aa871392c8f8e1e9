"""The settings of a turn, as plain values: the turn does not know how configuration is written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any

from nanobot.config import PluginConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """A model to ask, and how.

    Args:
        provider: Name of the provider plugin.
        section: Configuration section to open it with, None for its own.
        alias: The section's name, when one plugin serves several.
        reason: Why it was chosen, in words for the user.
        context_block_limit: Explicit budget for the prompt in place of what the window leaves.
    """

    provider: str
    model: str
    reason: str = ""
    section: PluginConfig | None = None
    alias: str = ""
    max_tokens: int = 8192
    window: int = 200_000
    temperature: float | None = None
    effort: str | None = None
    context_block_limit: int | None = None

    @property
    def budget(self) -> int:
        """Return how many tokens the prompt may have."""
        if self.context_block_limit:
            return self.context_block_limit
        return max(self.window - self.max_tokens - 1024, self.window // 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """When a turn must come to an end."""

    max_iterations: int = 200
    turn_timeout_s: float = 3600.0
    idle_timeout_s: float = 300.0
    max_turn_tokens: int | None = None
    max_tool_result_chars: int = 16_000


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentSettings:
    """Everything that a turn needs to know.

    Args:
        presets: For each preset the model to ask first and the fallbacks after it; the empty name
            is
            the default.
        restricted: Tools are bound to the workspace.
        denied: What tools can not reach even when unrestricted.
        facts: Lines for ``/status``.
    """

    presets: Mapping[str, tuple[ModelChoice, ...]]
    workspace: Path
    sessions: Path
    spill: Path
    timezone: tzinfo
    limits: Limits = Limits()
    restricted: bool = False
    denied: tuple[Path, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
