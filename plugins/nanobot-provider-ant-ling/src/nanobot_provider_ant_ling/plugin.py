"""Offers Ant Ling: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("ANT_LING_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="ant_ling",
            title="Ant Ling",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="Ling-2.6-1T",
            keywords=("ant-ling", "ling", "ring"),
            base_hosts=("ant-ling.com",),
            options={
                "base_url": "https://api.ant-ling.com/v1",
                "env_keys": KEYS,
                "effort_map": dict.fromkeys(
                    ("minimal", "low", "medium", "high", "xhigh", "max"), ""
                ),
                "string_content_only": True,
            },
        )
    ]
