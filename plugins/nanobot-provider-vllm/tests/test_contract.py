"""The provider contract, held by vllm."""

from __future__ import annotations

from nanobot_testing import ProviderContract


class TestVllm(ProviderContract):
    plugin = "providers.vllm"
    model = "Qwen/Qwen3-8B"
