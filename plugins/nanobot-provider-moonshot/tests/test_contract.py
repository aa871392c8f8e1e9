"""The provider contract, held by Moonshot AI."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestMoonshot(ChatVendorContract):
    plugin = "providers.moonshot"
    model = "kimi-k2.6"
    named_by = ("kimi-k3", "moonshotai/Kimi-K2.5", "moonshot-v1-auto")
    not_named_by = ("kimiko-7b",)
