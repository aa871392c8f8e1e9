"""The provider contract, held by lm-studio."""

from __future__ import annotations

from nanobot_testing import ProviderContract


class TestLmStudio(ProviderContract):
    plugin = "providers.lm_studio"
    model = "qwen/qwen3-8b"
