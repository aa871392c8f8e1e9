"""The provider contract, held by Hugging Face."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestHuggingFace(ChatVendorContract):
    plugin = "providers.huggingface"
    model = "openai/gpt-oss-120b"
    named_by = ("huggingface/openai/gpt-oss-120b",)
    not_named_by = ("hugging-7b",)
