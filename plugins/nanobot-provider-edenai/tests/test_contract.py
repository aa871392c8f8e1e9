"""The provider contract, held by Eden AI."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestEdenAI(ChatVendorContract):
    plugin = "providers.edenai"
    model = "anthropic/claude-sonnet-4-5"
    named_by = ("edenai/openai/gpt-5.4",)
    not_named_by = ("eden-7b",)
