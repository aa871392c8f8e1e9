"""Offers Gemini: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("GEMINI_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="gemini",
            title="Gemini",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="gemini-3.8-flash",
            keywords=("gemini", "gemma"),
            options={
                "base_url": "https://generativelanguage.googleapis.com/v1beta/openai/",
                "env_keys": KEYS,
                "strip_prefixes": ("models",),
                "effort_map": {"xhigh": "high", "max": "high"},
                "signed_calls": True,
                "replay_reasoning": "drop",
                # Its limits a minute are called a quota; the answer says how long to wait.
                "error_codes": {"RESOURCE_EXHAUSTED": "rate_limit"},
            },
        )
    ]
