"""Offers Kimi Coding: a record for the Messages dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec
from nanobot_provider_anthropic.config import AnthropicConfig

KEYS = ("KIMI_CODING_API_KEY", "KIMI_API_KEY")


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="kimi_coding",
            title="Kimi Coding",
            factory="nanobot_provider_anthropic.provider:open_provider",
            config=AnthropicConfig,
            env_keys=KEYS,
            default_model="kimi-for-coding",
            keywords=("kimi-coding", "kimi-for-coding"),
            options={
                "title": "Kimi Coding",
                "base_url": "https://api.kimi.com/coding/v1",
                "env_keys": KEYS,
                "keys_page": "https://www.kimi.com/code/console",
                "billing_page": "https://www.kimi.com/code",
                "replay_thinking": "required",
            },
        )
    ]
