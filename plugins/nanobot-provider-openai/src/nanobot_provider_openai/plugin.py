"""Registers the provider; neither of its two dialects is imported here."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

from nanobot_provider_openai.config import OpenAIConfig

_QUOTA = (
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "project_spend_limit_exceeded",
)
_FILTERED = (
    "bio_policy",
    "image_content_policy_violation",
    "invalid_prompt",
    "misalignment_policy_violation",
)

VENDOR: dict[str, object] = {
    "base_url": "https://api.openai.com/v1",
    "env_keys": ("OPENAI_API_KEY",),
    "token_field": "max_completion_tokens",
    "replay_reasoning": "drop",
    "cache_key_field": "prompt_cache_key",
    "error_codes": {
        **dict.fromkeys(_QUOTA, "quota"),
        **dict.fromkeys(_FILTERED, "filtered"),
        "server_is_overloaded": "overload",
        "slow_down": "rate_limit",
    },
}
"""The vendor's own way, as `nanobot_provider_compat.vendor.Vendor` describes it."""


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Offer OpenAI."""
    return [
        ProviderSpec(
            name="openai",
            title="OpenAI",
            factory="nanobot_provider_openai.provider:open_provider",
            config=OpenAIConfig,
            options=VENDOR,
            env_keys=("OPENAI_API_KEY",),
            default_model="gpt-5.4-mini",
            keywords=("openai", "gpt", "o1", "o3", "o4"),
        )
    ]
