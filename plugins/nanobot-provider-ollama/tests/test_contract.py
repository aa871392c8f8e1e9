"""The provider contract, held by ollama."""

from __future__ import annotations

from nanobot_testing import ProviderContract


class TestOllama(ProviderContract):
    plugin = "providers.ollama"
    model = "qwen3:8b"
