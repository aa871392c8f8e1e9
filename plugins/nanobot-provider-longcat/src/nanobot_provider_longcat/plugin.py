"""Offers LongCat: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("LONGCAT_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="longcat",
            title="LongCat",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="LongCat-2.0",
            keywords=("longcat",),
            options={
                "base_url": "https://api.longcat.chat/openai/v1",
                "env_keys": KEYS,
                "thinking": "thinking_type",
                "effort_map": dict.fromkeys(
                    ("minimal", "low", "medium", "high", "xhigh", "max"), ""
                ),
                "string_content_only": True,
            },
        )
    ]
