"""What is true of every plugin, held by the enricher."""

from __future__ import annotations

from nanobot_testing.contracts.base import PluginContract


class TestSpeech(PluginContract):
    plugin = "enrichers.speech"
