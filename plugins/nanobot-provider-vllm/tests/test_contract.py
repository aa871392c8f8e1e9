"""The provider contract, held by vLLM."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestVllm(ChatVendorContract):
    plugin = "providers.vllm"
    model = "Qwen/Qwen3-8B"
    named_by = ("vllm/Qwen/Qwen3-8B",)
    not_named_by = ("vllms-7b",)
