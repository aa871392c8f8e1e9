"""Offers SiliconFlow: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("SILICONFLOW_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="siliconflow",
            title="SiliconFlow",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="deepseek-ai/DeepSeek-V3.2",
            keywords=("siliconflow",),
            gateway=True,
            base_hosts=("siliconflow.cn", "siliconflow.com"),
            options={
                "base_url": "https://api.siliconflow.cn/v1",
                "env_keys": KEYS,
                "error_codes": {
                    "30001": "quota",
                    "50505": "overload",
                    "50508": "overload",
                },
            },
        )
    ]
