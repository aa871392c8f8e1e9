"""The provider contract, held by ModelScope."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestModelScope(ChatVendorContract):
    plugin = "providers.modelscope"
    model = "deepseek-ai/DeepSeek-V3.2"
    named_by = ("modelscope/Qwen/Qwen3-8B",)
