"""The provider contract, held by OpenRouter."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestOpenRouter(ChatVendorContract):
    plugin = "providers.openrouter"
    model = "anthropic/claude-sonnet-5.5"
    named_by = ("openrouter/anthropic/claude-sonnet-5.5",)
