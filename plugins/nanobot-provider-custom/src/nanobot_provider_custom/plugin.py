"""Offers any OpenAI-compatible endpoint, under its own name or any other."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

from nanobot_provider_custom.config import CustomConfig


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the provider that adopts sections which no other plugin claims."""
    return [
        ProviderSpec(
            name="custom",
            title="Custom",
            factory="nanobot_provider_custom.provider:open_provider",
            config=CustomConfig,
            needs_key=False,
            adopts=True,
        )
    ]
