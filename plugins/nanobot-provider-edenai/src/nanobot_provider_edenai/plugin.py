"""Offers Eden AI: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("EDENAI_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="edenai",
            title="Eden AI",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="anthropic/claude-sonnet-4-5",
            keywords=("edenai", "eden-ai"),
            gateway=True,
            base_hosts=("edenai.run",),
            options={
                "base_url": "https://api.edenai.run/v3",
                "env_keys": KEYS,
            },
        )
    ]
