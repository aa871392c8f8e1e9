"""Offers DashScope: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("DASHSCOPE_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="dashscope",
            title="DashScope",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="qwen-plus",
            keywords=("dashscope", "qwen", "qwen2", "qwen3", "qwen4", "qwq", "qvq"),
            options={
                "base_url": "https://dashscope.aliyuncs.com/compatible-mode/v1",
                "env_keys": KEYS,
                "thinking": "enable_thinking",
                "effort_map": {"minimal": "minimum"},
                # The models of the page "Context cache", which bill marked prompts at a tenth.
                "cache_markers": (
                    *("qwen3-max", "qwen-plus", "qwen-flash"),
                    *("qwen3-coder-plus", "qwen3-coder-flash", "qwen3-vl-plus"),
                ),
                "error_codes": {
                    "insufficient_quota": "rate_limit",
                    "Throttling.AllocationQuota": "rate_limit",
                    "Throttling.RateQuota": "rate_limit",
                    "Throttling.BurstRate": "rate_limit",
                    "AllocationQuota.FreeTierOnly": "quota",
                },
            },
        )
    ]
