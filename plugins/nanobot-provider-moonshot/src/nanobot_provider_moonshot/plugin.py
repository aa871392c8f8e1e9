"""Offers Moonshot AI: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("MOONSHOT_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="moonshot",
            title="Moonshot AI",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="kimi-k2.6",
            keywords=("moonshot", "moonshotai", "kimi"),
            options={
                "base_url": "https://api.moonshot.ai/v1",
                "env_keys": KEYS,
                "models": {
                    "kimi-k2.5": {"temperature": None},
                    "kimi-k2.6": {"temperature": None},
                    "kimi-k2.7": {"temperature": 1.0},
                },
                "cache_key_field": "prompt_cache_key",
                "error_codes": {
                    "exceeded_current_quota_error": "quota",
                    "rate_limit_reached_error": "rate_limit",
                },
            },
        )
    ]
