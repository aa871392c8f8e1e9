"""The provider contract, held by Ollama."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestOllama(ChatVendorContract):
    plugin = "providers.ollama"
    model = "qwen3:8b"
    named_by = ("ollama/qwen3:8b",)
    not_named_by = ("llama-3",)
