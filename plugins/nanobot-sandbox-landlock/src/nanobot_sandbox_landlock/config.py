"""The section ``sandboxes.landlock``."""

from __future__ import annotations

from nanobot.config import PluginConfig


class LandlockConfig(PluginConfig):
    """Settings of the sandbox."""
