"""Offers Groq: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("GROQ_API_KEY",)
KEY_PREFIX = "gsk_"


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="groq",
            title="Groq",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="openai/gpt-oss-120b",
            keywords=("groq",),
            key_prefixes=(KEY_PREFIX,),
            options={
                "base_url": "https://api.groq.com/openai/v1",
                "env_keys": KEYS,
                "key_prefix": KEY_PREFIX,
                "token_field": "max_completion_tokens",
                "replay_reasoning": "drop",
                "model_efforts": {
                    "gpt-oss": {"minimal": "low", "xhigh": "high", "max": "high"},
                    "qwen3": {
                        **dict.fromkeys(("none", "minimal"), "none"),
                        **dict.fromkeys(("low", "medium", "high", "xhigh", "max"), "default"),
                    },
                },
                "error_codes": {"tool_use_failed": "malformed", "capacity_exceeded": "overload"},
            },
        )
    ]
