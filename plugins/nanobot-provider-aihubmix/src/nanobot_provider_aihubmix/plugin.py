"""Offers AiHubMix: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("AIHUBMIX_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="aihubmix",
            title="AiHubMix",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="gpt-5.4-mini",
            keywords=("aihubmix",),
            gateway=True,
            base_hosts=("aihubmix.com",),
            options={
                "base_url": "https://aihubmix.com/v1",
                "env_keys": KEYS,
                "strip_prefixes": ("*",),
                "error_codes": {"insufficient_user_quota": "quota"},
            },
        )
    ]
