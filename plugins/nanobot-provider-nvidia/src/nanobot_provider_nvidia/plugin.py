"""Offers NVIDIA NIM: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("NVIDIA_NIM_API_KEY", "NVIDIA_API_KEY")
KEY_PREFIX = "nvapi-"
EFFORTS = ("minimal", "low", "medium", "high", "xhigh", "max")
GPT_OSS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="nvidia",
            title="NVIDIA NIM",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="nvidia/nemotron-3-super-120b-a12b",
            keywords=("nvidia", "nemotron", "nvapi"),
            key_prefixes=(KEY_PREFIX,),
            base_hosts=("nvidia.com",),
            options={
                "base_url": "https://integrate.api.nvidia.com/v1",
                "env_keys": KEYS,
                "key_prefix": KEY_PREFIX,
                "thinking": "chat_template",
                "model_efforts": {"gpt-oss": GPT_OSS},
                "effort_map": dict.fromkeys(EFFORTS, ""),
            },
        )
    ]
