"""The provider contract, held by SiliconFlow."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestSiliconFlow(ChatVendorContract):
    plugin = "providers.siliconflow"
    model = "deepseek-ai/DeepSeek-V3.2"
    named_by = ("siliconflow/Qwen/Qwen3-8B",)
