"""Settings of the gateway and of every channel."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from nanobot.config import ConfigModel, PluginConfig
from pydantic import BeforeValidator, Field

GroupPolicy = Literal["mention", "open", "allowlist"]


def _texts(value: Any) -> Any:
    """Take numbers in a list of ids for what they are on many platforms: ids."""
    if isinstance(value, list | tuple):
        return tuple(str(v) if type(v) is int else v for v in value)
    return value


Ids = Annotated[tuple[str, ...], BeforeValidator(_texts)]


class ChannelConfig(PluginConfig):
    """What every channel's section may hold; a channel adds its own fields."""

    enabled: bool = Field(default=False, description="Connect this channel.")
    allow_from: Ids = Field(
        default=(), description="User ids that may talk to the agent; `*` lets everybody in."
    )
    owners: Ids = Field(
        default=(), description="User ids that may also use commands for owners; `*` for all."
    )
    group_policy: GroupPolicy = Field(
        default="mention",
        description="In groups: answer when mentioned, always (`open`), or in `groupAllowFrom`.",
    )
    group_allow_from: Ids = Field(
        default=(), description="Chat ids of groups in which `allowlist` answers."
    )
    streaming: bool = Field(default=True, description="Show answers while they are written.")
    send_progress: bool | None = Field(
        default=None, description="Send what is said between tool calls; null takes the global one."
    )
    send_tool_hints: bool | None = Field(
        default=None, description="Show which tools run; null takes the global one."
    )
    show_reasoning: bool | None = Field(
        default=None, description="Show the model's reasoning; null takes the global one."
    )
    accounts: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="More accounts, by name; each takes the section's other fields as defaults.",
    )


class ChannelDefaults(ConfigModel):
    """Settings in `channels` that hold for all channels."""

    send_progress: bool = Field(default=True, description="Send what is said between tool calls.")
    send_tool_hints: bool = Field(default=True, description="Show which tools run.")
    show_reasoning: bool = Field(default=True, description="Show the model's reasoning.")
    send_max_retries: int = Field(
        default=3, ge=0, le=10, description="Attempts to send a message; at least one is made."
    )
