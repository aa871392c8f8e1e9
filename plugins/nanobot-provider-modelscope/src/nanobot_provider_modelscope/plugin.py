"""Offers ModelScope: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("MODELSCOPE_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="modelscope",
            title="ModelScope",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="deepseek-ai/DeepSeek-V3.2",
            keywords=("modelscope",),
            gateway=True,
            base_hosts=("modelscope.cn",),
            options={
                "base_url": "https://api-inference.modelscope.cn/v1",
                "env_keys": KEYS,
                "strip_prefixes": ("modelscope",),
                "thinking": "enable_thinking",
            },
        )
    ]
