"""The section ``providers.openai``."""

from __future__ import annotations

from typing import Literal

from nanobot.config import ProviderConfig
from pydantic import Field


class OpenAIConfig(ProviderConfig):
    """How to reach OpenAI."""

    api_type: Literal["auto", "responses", "chat_completions"] = Field(
        default="auto",
        description="Which API to speak; `auto` means Responses with OpenAI itself and chat "
        "completions with any other `apiBase`.",
    )
    reasoning_summary: Literal["auto", "concise", "detailed"] | None = Field(
        default=None,
        description="Ask for a summary of the reasoning, to show it; OpenAI demands a verified "
        "organization for it with most models.",
    )
