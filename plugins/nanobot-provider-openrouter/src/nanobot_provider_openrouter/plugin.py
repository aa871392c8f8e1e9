"""Offers OpenRouter: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("OPENROUTER_API_KEY",)
KEY_PREFIX = "sk-or-"


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="openrouter",
            title="OpenRouter",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="openrouter/auto",
            keywords=("openrouter",),
            gateway=True,
            key_prefixes=(KEY_PREFIX,),
            base_hosts=("openrouter.ai",),
            options={
                "base_url": "https://openrouter.ai/api/v1",
                "env_keys": KEYS,
                "key_prefix": KEY_PREFIX,
                "headers": {"x-title": "nanobot"},
                "aliases": {"auto": "openrouter/auto", "free": "openrouter/free"},
                "thinking": "openrouter",
                # The others cache of their own accord.
                "cache_markers": ("claude", "/qwen"),
            },
        )
    ]
