"""Registers the provider; nothing of the vendor is imported here."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

from nanobot_provider_anthropic.config import AnthropicConfig


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer Anthropic."""
    return [
        ProviderSpec(
            name="anthropic",
            title="Anthropic",
            factory="nanobot_provider_anthropic.provider:open_provider",
            config=AnthropicConfig,
            env_keys=("ANTHROPIC_API_KEY",),
            default_model="claude-sonnet-5-5",
            keywords=("anthropic", "claude"),
            key_prefixes=("sk-ant-",),
        )
    ]
