"""Registers the provider; botocore is imported with it, not here."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

from nanobot_provider_bedrock.config import BedrockConfig


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer Amazon Bedrock; it needs no key where AWS finds credentials by itself."""
    return [
        ProviderSpec(
            name="bedrock",
            title="Amazon Bedrock",
            factory="nanobot_provider_bedrock.provider:open_provider",
            config=BedrockConfig,
            env_keys=("AWS_BEARER_TOKEN_BEDROCK",),
            default_model="amazon.nova-lite-v1:0",
            keywords=("bedrock", "amazon.nova"),
            needs_key=False,
        )
    ]
