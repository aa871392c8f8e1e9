"""Offers Novita AI: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("NOVITA_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="novita",
            title="Novita AI",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="deepseek/deepseek-v3.2",
            keywords=("novita",),
            gateway=True,
            base_hosts=("novita.ai",),
            options={
                "base_url": "https://api.novita.ai/openai",
                "env_keys": KEYS,
                "error_codes": {
                    "NOT_ENOUGH_BALANCE": "quota",
                    "FAILED_TO_AUTH": "auth",
                    "TOKEN_LIMIT_EXCEEDED": "rate_limit",
                },
            },
        )
    ]
