"""Sections that several plugins share, or whose plugin may not be installed: their settings."""

from __future__ import annotations

from typing import Annotated, Literal

from nanobot.config import ConfigModel, Secret
from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from nanobot_cli_admin.hosts import is_loopback


def _check_host(value: str) -> str:
    """Refuse what can not be the name or address of a host."""
    if any(character.isspace() or not character.isprintable() for character in value):
        raise ValueError("must be a host name or an IP address")
    return value


Host = Annotated[str, AfterValidator(_check_host)]
Port = Annotated[int, Field(ge=1, le=65535, strict=True)]
Flag = Annotated[bool, Field(strict=True)]


class Api(ConfigModel):
    """The OpenAI-compatible server."""

    api_key: Secret | None = Field(None, description="Key that clients must send.")
    host: Host = Field("127.0.0.1", description="Address to listen on.")
    port: Port = Field(8900, description="Port to listen on.")
    timeout: float = Field(120.0, gt=0, strict=True, description="Seconds a request may take.")

    @field_validator("host")
    @classmethod
    def _no_open_door(cls, host: str, info: ValidationInfo) -> str:
        if not info.data.get("api_key") and not is_loopback(host):
            raise ValueError("is open to other machines: set apiKey, or use 127.0.0.1")
        return host


class Channels(ConfigModel):
    """What all channels share; every object here is a channel's own section."""

    send_progress: Flag = Field(True, description="Send what the agent says while it works.")
    send_tool_hints: Flag = Field(False, description="Send which tools it calls.")
    show_reasoning: Flag = Field(True, description="Send the model's reasoning.")
    send_max_retries: int = Field(
        3, ge=0, le=10, strict=True, description="Attempts to deliver a message."
    )
    extract_document_text: Flag = Field(True, description="Read and not used.")


class Gateway(ConfigModel):
    """The process that runs the channels."""

    host: Host = Field("127.0.0.1", description="Address of the health endpoint.")
    port: Port = Field(18790, description="Port of the health endpoint.")
    restart_mode: Literal["auto", "exec", "spawn", "exit"] = Field(
        "auto", description="How `/restart` starts it anew."
    )


SHAPES: dict[str, type[ConfigModel]] = {"api": Api, "channels": Channels, "gateway": Gateway}
"""By section; an object inside one is another plugin's section."""

OWNERS = {"gateway": ("services", "http")}
"""Plugins that read such a section as their own, and judge it when they are loaded."""
