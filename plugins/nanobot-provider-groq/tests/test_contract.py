"""The provider contract, held by Groq."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestGroq(ChatVendorContract):
    plugin = "providers.groq"
    model = "openai/gpt-oss-120b"
    named_by = ("groq/llama-3.3-70b-versatile",)
    not_named_by = ("grok-4", "llama-3.3-70b-versatile")
