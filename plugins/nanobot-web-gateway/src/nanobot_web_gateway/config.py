"""The API's section of the configuration."""

from __future__ import annotations

from nanobot.config import PluginConfig
from pydantic import Field


class GatewayApiConfig(PluginConfig):
    """Section ``web.gateway``."""

    enabled: bool = Field(default=True, description="Switch the API off without removing it.")
