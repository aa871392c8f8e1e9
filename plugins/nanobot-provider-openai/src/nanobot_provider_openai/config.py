"""The section ``providers.openai``, and what sections of the Responses API have in common."""

from __future__ import annotations

from typing import Literal

from nanobot.config import ProviderConfig
from pydantic import Field

HostedTool = Literal["web_search", "x_search", "code_interpreter"]


class ResponsesConfig(ProviderConfig):
    """The section of a provider that speaks the Responses API."""

    reasoning_summary: Literal["auto", "concise", "detailed"] | None = Field(
        default=None,
        description="Ask for a summary of the reasoning, to show it; OpenAI demands a verified "
        "organization for it with most models.",
    )
    hosted_tools: tuple[HostedTool, ...] = Field(
        default=(),
        description="Tools that run at the vendor, and may cost extra; `web_search` takes the "
        "place of nanobot's own.",
    )


class StatefulConfig(ResponsesConfig):
    """The section of a provider whose server may keep the conversation."""

    server_state: bool = Field(
        default=False,
        description="Let the vendor store the conversation, so that each request sends only what "
        "is new; without it nothing is stored there.",
    )


class OpenAIConfig(StatefulConfig):
    """How to reach OpenAI."""

    api_type: Literal["auto", "responses", "chat_completions"] = Field(
        default="auto",
        description="Which API to speak; `auto` means Responses with OpenAI itself and chat "
        "completions with any other `apiBase`.",
    )
