"""The provider contract, held by AiHubMix."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestAiHubMix(ChatVendorContract):
    plugin = "providers.aihubmix"
    model = "gpt-4o-mini"
    named_by = ("aihubmix/gpt-5.4-mini",)
