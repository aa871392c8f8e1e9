"""Configuration of an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import Literal

from nanobot.config import ProviderConfig
from pydantic import Field


class CustomConfig(ProviderConfig):
    """The section of an endpoint; `api_base` is required."""

    thinking_style: (
        Literal["thinking_type", "enable_thinking", "chat_template", "reasoning_split"] | None
    ) = Field(
        default=None,
        description="How the endpoint switches thinking, beside `reasoning_effort`.",
    )
