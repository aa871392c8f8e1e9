"""What this plugin offers: the provider that answers when nothing else is configured."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.specs import ProviderSpec

from nanobot_provider_offline.config import OfflineConfig


@hookimpl
def nanobot_providers() -> list[ProviderSpec]:
    """Return the offline provider."""
    return [
        ProviderSpec(
            name="offline",
            factory="nanobot_provider_offline.provider:open_provider",
            config=OfflineConfig,
            title="Offline (no language model)",
            default_model="offline",
            keywords=("offline",),
            needs_key=False,
            last_resort=True,
        )
    ]
