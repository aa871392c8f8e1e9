"""The provider contract, held by DeepSeek."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestDeepSeek(ChatVendorContract):
    plugin = "providers.deepseek"
    model = "deepseek-chat"
    named_by = ("deepseek-chat", "deepseek-ai/DeepSeek-V3.2")
    not_named_by = ("deepseeker-7b",)
