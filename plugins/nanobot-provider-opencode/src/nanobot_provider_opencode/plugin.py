"""Offers OpenCode: records for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

KEYS = ("OPENCODE_API_KEY",)
HOST = "https://opencode.ai/zen"
SHARED: dict[str, object] = {
    "env_keys": KEYS,
    "cache_key_header": "x-opencode-session",
    "error_codes": {
        **dict.fromkeys(("CreditsError", "GoUsageLimitError"), "quota"),
        "ModelError": "bad_request",
    },
}
ZEN = {
    "base_url": f"{HOST}/v1",
    "strip_prefixes": ("opencode", "opencode_zen", "opencode-zen"),
    **SHARED,
}


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendors."""
    return [
        ProviderSpec(
            name="opencode",
            title="OpenCode Zen",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="minimax-m3",
            keywords=("opencode",),
            gateway=True,
            base_hosts=("opencode.ai/zen",),
            options=ZEN,
        ),
        ProviderSpec(
            name="opencode_zen",
            title="OpenCode Zen",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="minimax-m3",
            keywords=("opencode-zen",),
            gateway=True,
            options=ZEN,
        ),
        ProviderSpec(
            name="opencode_go",
            title="OpenCode Go",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            default_model="glm-5.3",
            keywords=("opencode-go",),
            gateway=True,
            base_hosts=("opencode.ai/zen/go",),
            options={
                "base_url": f"{HOST}/go/v1",
                "strip_prefixes": ("opencode-go", "opencode_go"),
                **SHARED,
            },
        ),
    ]
