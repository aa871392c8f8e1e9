"""Registers the provider; neither the SDK nor Azure's is imported here."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

from nanobot_provider_azure_openai.config import AzureOpenAIConfig


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer Azure OpenAI; without a key it signs in with Microsoft Entra ID."""
    return [
        ProviderSpec(
            name="azure_openai",
            title="Azure OpenAI",
            factory="nanobot_provider_azure_openai.provider:open_provider",
            config=AzureOpenAIConfig,
            env_keys=("AZURE_OPENAI_API_KEY",),
            keywords=("azure",),
            needs_key=False,
        )
    ]
