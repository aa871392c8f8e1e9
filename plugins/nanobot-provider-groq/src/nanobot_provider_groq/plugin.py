"""Offers Groq: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("GROQ_API_KEY",)


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
            options={
                "base_url": "https://api.groq.com/openai/v1",
                "env_keys": KEYS,
                "key_prefix": "gsk_",
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
