"""The promises of every plugin."""

from __future__ import annotations

from nanobot_testing.contracts.base import PluginContract


class TestGatewayApi(PluginContract):
    plugin = "web.gateway"
