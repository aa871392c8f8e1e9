"""Offers Atomic Chat: a record for the chat completions dialect."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

BASE_URL = "http://127.0.0.1:1337/v1"
KEYS = ("ATOMIC_CHAT_API_KEY",)


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the vendor."""
    return [
        ProviderSpec(
            name="atomic_chat",
            title="Atomic Chat",
            factory="nanobot_provider_compat.provider:open_provider",
            env_keys=KEYS,
            keywords=("atomic-chat", "atomicchat"),
            needs_key=False,
            probe_url=BASE_URL,
            options={
                "base_url": BASE_URL,
                "env_keys": KEYS,
                "needs_key": False,
                "local": True,
            },
        )
    ]
