"""Offers OrcaRouter: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("ORCAROUTER_API_KEY",)
KEY_PREFIX = "sk-orca-"


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="orcarouter",
            title="OrcaRouter",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="orcarouter/auto",
            keywords=("orcarouter",),
            gateway=True,
            key_prefixes=(KEY_PREFIX,),
            base_hosts=("orcarouter.ai",),
            options={
                "base_url": "https://api.orcarouter.ai/v1",
                "env_keys": KEYS,
                "key_prefix": KEY_PREFIX,
                "aliases": {
                    "auto": "orcarouter/auto",
                    "fusion-mini": "orcarouter/fusion-mini",
                },
            },
        )
    ]
