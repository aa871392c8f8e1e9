"""Offers Xiaomi MiMo: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("XIAOMIMIMO_API_KEY", "MIMO_API_KEY")


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="xiaomi_mimo",
            title="Xiaomi MiMo",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="mimo-v2.5-pro",
            keywords=("xiaomi-mimo", "xiaomi", "mimo"),
            options={
                "base_url": "https://api.xiaomimimo.com/v1",
                "env_keys": KEYS,
                "token_field": "max_completion_tokens",
                "thinking": "thinking_type",
                "replay_reasoning": "required_empty",
            },
        )
    ]
