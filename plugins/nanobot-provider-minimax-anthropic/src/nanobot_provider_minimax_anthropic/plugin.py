"""Offers MiniMax over its Anthropic-compatible API: a record for the Messages dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec
from nanobot_provider_anthropic.config import AnthropicConfig

KEYS = ("MINIMAX_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="minimax_anthropic",
            title="MiniMax (Messages API)",
            factory="nanobot_provider_anthropic.provider:open_provider",
            config=AnthropicConfig,
            env_keys=KEYS,
            default_model="MiniMax-M3",
            keywords=("minimax-anthropic",),
            options={
                "title": "MiniMax",
                "base_url": "https://api.minimax.io/anthropic",
                "env_keys": KEYS,
                "keys_page": "https://platform.minimax.io/user-center/basic-information/interface-key",
                "billing_page": "https://platform.minimax.io/user-center/payment/balance",
                "replay_thinking": "all",
            },
        )
    ]
