"""Offers DeepSeek: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("DEEPSEEK_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="deepseek",
            title="DeepSeek",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="deepseek-chat",
            keywords=("deepseek",),
            options={
                "base_url": "https://api.deepseek.com",
                "env_keys": KEYS,
                "thinking": "thinking_type",
                "string_content_only": True,
                "picture_models": ("vision",),
                "replay_reasoning": "required_empty",
            },
        )
    ]
