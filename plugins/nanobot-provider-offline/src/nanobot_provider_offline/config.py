"""The section ``providers.offline``."""

from __future__ import annotations

from nanobot.config import PluginConfig


class OfflineConfig(PluginConfig):
    """Settings of the offline provider: it can only be switched off."""
