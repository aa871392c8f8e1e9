"""The core's own settings. Keys that are not listed here become findings, not errors."""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from nanobot.config import ConfigModel

_WIDEST = {4: 8, 6: 7}
"""Shortest prefix of a network that tools may be allowed: 10.0.0.0/8 and fc00::/7."""


def _check_workspace(value: str) -> str:
    if not value.strip() or "\0" in value:
        raise ValueError("must be the path of a folder")
    return value


def _check_timezone(value: str) -> str:
    try:
        return value if value == "UTC" else ZoneInfo(value).key
    except (KeyError, ValueError, OSError):
        raise ValueError("is not an IANA time zone such as Europe/Berlin") from None


def _check_network(value: str) -> str:
    """Refuse what is not a network in CIDR form, and networks too wide to be anyone's own."""
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise ValueError("must be a network such as 192.168.1.0/24") from None
    if network.prefixlen < _WIDEST[network.version]:
        raise ValueError("is too wide: it would open the network guard for the whole internet")
    return value


Positive = Annotated[int, Field(ge=1)]
Natural = Annotated[int, Field(ge=0)]
Temperature = Annotated[float, Field(ge=0, le=2)]
Ratio = Annotated[float, Field(ge=0.1, le=0.95)]
Retry = Literal["standard", "persistent"]
ZoneMode = Literal["auto", "manual"]
Names = Annotated[tuple[str, ...], Field(strict=False)]
Folder = Annotated[str, AfterValidator(_check_workspace)]
Zone = Annotated[str, AfterValidator(_check_timezone)]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_check_network)], ...], Field(strict=False)
]


class Section(ConfigModel):
    """Base of the core's sections: types are taken literally, unknown keys are passed over."""

    model_config = ConfigDict(extra="ignore", strict=True)


class Model(Section):
    """How a model is asked."""

    provider: str = Field("auto", description="Provider, or `auto`.")
    max_tokens: Positive = Field(8192, description="Greatest answer, in tokens.")
    context_window_tokens: Positive = Field(200_000, description="Context window, in tokens.")
    temperature: Temperature = Field(0.1, description="Sampling temperature.")
    reasoning_effort: str | None = Field(None, description="How much the model thinks.")


class Preset(Model):
    """A model with its settings, under a name of its own."""

    model: str = Field(min_length=1, description="Model id.")
    label: str | None = Field(None, description="Read and not used.")


class Fallback(Section):
    """A model to try when the one before it fails; null means the agent's own setting."""

    model: str = Field(min_length=1, description="Model id.")
    provider: str = Field("auto", description="Provider, or `auto`.")
    max_tokens: Positive | None = Field(None, description="Greatest answer, in tokens.")
    context_window_tokens: Positive | None = Field(None, description="Context window.")
    temperature: Temperature | None = Field(None, description="Sampling temperature.")
    reasoning_effort: str | None = Field(None, description="How much the model thinks.")


Fallbacks = Annotated[tuple[str | Fallback, ...], Field(strict=False)]


class Defaults(Model):
    """How the agent works when nothing more particular is said."""

    workspace: Folder = Field("~/.nanobot/workspace", description="Where the agent works.")
    model_preset: str | None = Field(None, description="Active preset; goes before `model`.")
    model: str | None = Field(None, description="Model id; null takes what is installed.")
    context_block_limit: Positive | None = Field(None, description="Input budget, in tokens.")
    fallback_models: Fallbacks = Field((), description="Presets or models to try in turn.")
    max_tool_iterations: Positive = Field(200, description="Model calls in a turn.")
    max_tool_result_chars: Positive = Field(16_000, description="Longer results go to a file.")
    provider_retry_mode: Retry = Field("standard", description="How long failures are retried.")
    tool_hint_max_length: int = Field(40, ge=20, le=500, description="Characters of a tool hint.")
    timezone: Zone = Field("UTC", description="IANA time zone of the user.")
    timezone_mode: ZoneMode = Field("auto", description="Take the host's zone, or `timezone`.")
    bot_name: str = Field("nanobot", description="Name shown in the terminal.")
    bot_icon: str = Field("🐈", description="Icon shown in the terminal; may be empty.")
    unified_session: bool = Field(False, description="One session for all channels.")
    disabled_skills: Names = Field((), description="Skills to leave out.")
    idle_compact_after_minutes: Natural = Field(15, description="0 never compacts when idle.")
    idle_compact_check_interval_seconds: Natural = Field(60, description="Time between looks.")
    consolidation_ratio: Ratio = Field(0.5, description="Share left after consolidation.")
    max_concurrent_subagents: Positive = Field(1, description="Subagents at a time.")
    subagent_max_iterations: Positive = Field(15, description="Model calls of a subagent.")
    fail_on_tool_error: bool = Field(True, description="End a subagent when a tool fails.")
    turn_timeout_s: float = Field(3600.0, gt=0, description="Seconds a turn may take.")
    max_turn_tokens: Positive | None = Field(None, description="Tokens a turn may be billed.")

    @model_validator(mode="before")
    @classmethod
    def _zone_set_by_hand(cls, data: Any) -> Any:
        if isinstance(data, dict) and "timezone" in data and "timezone_mode" not in data:
            data = {"timezoneMode": "manual", **data}
        return data


class SubagentProfile(Section):
    """What a kind of subagent has and may."""

    tools: Names = Field((), description="Tools it may use; none named means all.")
    skills: Names = Field((), description="Skills that its prompt holds from the start.")
    model: str | None = Field(None, description="Model preset or id; null inherits.")
    instructions: str = Field("", description="What its prompt says last.")
    max_iterations: Positive | None = Field(None, description="Model calls it may make.")


class Agents(Section):
    """The agent."""

    defaults: Defaults = Field(Defaults(), description="Settings of every agent.")
    subagent_profiles: dict[str, SubagentProfile] = Field({}, description="Kinds of subagents.")


class Tools(Section):
    """What all tools are held to; every other object here is a tool's own section."""

    restrict_to_workspace: bool = Field(False, description="Bind all tools to the workspace.")
    ssrf_whitelist: Networks = Field((), description="Private networks that tools may reach.")


class Plugins(Section):
    """Which plugins may be used."""

    mode: Literal["all", "allowlist"] = Field("all", description="Use all, or those in `allow`.")
    allow: Names = Field((), description="Plugin ids to use in mode `allowlist`.")
    disabled: Names = Field((), description="Plugin ids not to use.")
    prefer: dict[str, str] = Field({}, description="Distribution to use for an id of several.")


class CoreSettings(Section):
    """The core's part of the configuration file."""

    agents: Agents = Field(Agents(), description="The agent.")
    model_presets: dict[str, Preset] = Field({}, description="Models with settings, by name.")
    tools: Tools = Field(Tools(), description="What all tools are held to.")
    plugins: Plugins = Field(Plugins(), description="Which plugins may be used.")
