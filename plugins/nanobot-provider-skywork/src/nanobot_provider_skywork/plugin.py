"""Offers Skywork: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("SKYWORK_API_KEY", "APIFREE_API_KEY")


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="skywork",
            title="Skywork",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="skywork-ai/skyclaw-v1",
            keywords=("skywork", "skyclaw", "apifree"),
            gateway=True,
            base_hosts=("apifree.ai",),
            options={
                "base_url": "https://api.apifree.ai/agent/v1",
                "env_keys": KEYS,
                "error_codes": {"insufficient_user_quota": "quota"},
            },
        )
    ]
