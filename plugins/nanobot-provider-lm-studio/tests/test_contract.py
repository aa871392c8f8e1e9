"""The provider contract, held by LM Studio."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestLmStudio(ChatVendorContract):
    plugin = "providers.lm_studio"
    model = "openai/gpt-oss-20b"
    named_by = ("lm-studio/qwen3-8b", "lmstudio/qwen3-8b", "lm_studio/x")
    not_named_by = ("lm-7b",)
