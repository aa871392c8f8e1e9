"""The contract of an engine: what runs a turn.

The core finds the engine like any plugin and hands it a message; the engine stores it, asks the
model, runs the tools and tells what happens. An instance has exactly one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from nanobot.agent.hooks import AgentHook
from nanobot.command import HistoryEntry
from nanobot.config import PluginConfig
from nanobot.context import PluginContext
from nanobot.desk import SessionInfo
from nanobot.events import TurnEvent
from nanobot.messages import Inbound, Scope, Workspace
from nanobot.profile import Profile
from nanobot.provider import Provider
from nanobot.specs import Spec


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelChoice:
    """A model to ask, and how.

    Args:
        provider: Name of the provider plugin.
        model: Model id to send.
        reason: Why it was chosen, in words for the user.
        section: Configuration section to open the provider with, None for its own.
        alias: The section's name, when one plugin serves several.
        max_tokens: Most tokens of an answer.
        window: The model's context window, in tokens.
        temperature: Sampling temperature, None for the vendor's default.
        effort: Reasoning effort, None for the vendor's default.
        context_block_limit: Explicit budget for the prompt in place of what the window leaves.
        requests_per_minute: Most requests a minute with this choice's key, None for no limit.
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
    requests_per_minute: int | None = None

    @property
    def credential(self) -> str:
        """Return what names the key that is used: two choices with the same share its limits."""
        return self.alias or self.provider

    @property
    def budget(self) -> int:
        """Return how many tokens the prompt may have."""
        if self.context_block_limit:
            return self.context_block_limit
        return max(self.window - self.max_tokens - 1024, self.window // 4)


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """When a turn must come to an end.

    Args:
        max_iterations: Model calls in a turn.
        turn_timeout_s: Seconds for the whole turn.
        idle_timeout_s: Seconds that a model may be silent.
        max_turn_tokens: Billed tokens, None for no limit.
        max_tool_result_chars: Longer results move to a file.
        persistent: Models that fail in passing are asked again until the turn's time is up.
    """

    max_iterations: int = 200
    turn_timeout_s: float = 3600.0
    idle_timeout_s: float = 300.0
    max_turn_tokens: int | None = None
    max_tool_result_chars: int = 16_000
    persistent: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSettings:
    """Everything that a turn needs to know of the configuration.

    Args:
        presets: For each preset the model to ask first and the fallbacks after it; the empty name
            is the default.
        workspace: What tools may touch.
        sessions: Folder of the transcripts.
        spill: Folder for long tool results.
        timezone: The user's.
        facts: Lines for ``/status``.
    """

    presets: Mapping[str, tuple[ModelChoice, ...]]
    workspace: Workspace
    sessions: Path
    spill: Path
    timezone: tzinfo
    limits: Limits = Limits()
    facts: Mapping[str, str] = field(default_factory=dict)


class Plugins(Protocol):
    """The host's plugins, as an engine may use them."""

    def usable(self, kind: str) -> Sequence[Any]:
        """Return the specs of a kind that are switched on and configured, by name."""
        ...

    async def open(self, kind: str, name: str) -> Any:
        """Return the object of a plugin, opened on first use.

        Raises:
            PluginError: It is not there or could not be opened.
            ConfigError: Its section is not valid.
        """
        ...

    async def open_model(self, choice: ModelChoice) -> Provider:
        """Return the provider of a choice, opened on first use; raises like `open`."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineContext(PluginContext):
    """What an engine's factory receives.

    Args:
        plugins: The host's plugins.
        settings: What the configuration says about turns.
    """

    plugins: Plugins
    settings: EngineSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineSpec(Spec):
    """An engine; its factory opens an `Engine` with an `EngineContext`."""


class FollowUps(Protocol):
    """What is said in a session while its turn runs."""

    suspended: bool
    """Set before a turn is cut off that is to go on later: its end is not stored then."""

    def take(self, *, ending: bool) -> Sequence[Inbound]:
        """Return the messages that are to join the turn now, oldest first; each is given once.

        Args:
            ending: The answer is there: with what joins now the turn goes on after it, as if it had
                been said in passing. What is not given begins a turn of its own.
        """
        ...


class Engine(Protocol):
    """What an `EngineSpec` factory opens."""

    def handle(
        self,
        inbound: Inbound,
        *,
        hooks: Sequence[AgentHook] = (),
        preset: str | None = None,
        profile: Profile | None = None,
        follow_ups: FollowUps | None = None,
    ) -> AsyncGenerator[TurnEvent, None]:
        """Answer a message: run a slash command or a turn, and yield what happens.

        One turn at a time per session; sessions do not wait for each other. The message is stored
        before the first model call; closing the generator early stops the turn and keeps what was
        said. The last event of a turn that was not stopped is `TurnFinished`, also when it failed.

        A message whose id the transcript holds already is not stored again. Was its turn
        interrupted, it goes on: tool calls that finished keep their results, one that was cut off
        is run again if its tool is read-only or idempotent, else its outcome is unknown to the
        model. Is its turn over, `TurnFinished` is told again.

        Args:
            preset: Model preset for this turn alone.
            profile: Who answers, None for the agent as configured; the same again for a message
                whose turn is to go on.
            follow_ups: Asked at safe points: after tools have run, and before the turn would end.
                What it gives is stored and read by the model in this same turn.

        Raises:
            NanobotError: The message could not be accepted; nothing of it was stored.
        """
        ...


@runtime_checkable
class Archive(Protocol):
    """An engine that can tell of its sessions; see `nanobot.desk.Desk` for what each returns."""

    async def sessions(self, scope: Scope) -> Sequence[SessionInfo]: ...

    async def recall(self, scope: Scope, key: str) -> Sequence[HistoryEntry]: ...

    def facts(self, scope: Scope) -> Mapping[str, str]: ...
