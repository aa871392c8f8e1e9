"""The section ``providers.azureOpenai``."""

from __future__ import annotations

from typing import Literal

from nanobot_provider_openai.config import StatefulConfig
from pydantic import Field


class AzureOpenAIConfig(StatefulConfig):
    """How to reach a resource of Azure OpenAI."""

    api_type: Literal["responses", "chat_completions"] = Field(
        default="responses",
        description="Which API to speak; some deployments of other vendors' models only know chat "
        "completions.",
    )
    token_scope: str = Field(
        default="https://cognitiveservices.azure.com/.default",
        description="What a Microsoft Entra token is asked for; other clouds have their own.",
    )
