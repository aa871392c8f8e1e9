"""The provider contract, held by Skywork."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestSkywork(ChatVendorContract):
    plugin = "providers.skywork"
    model = "skywork-ai/skyclaw-v1"
    named_by = ("skywork-ai/skyclaw-v1", "skyclaw-v1-lite")
    not_named_by = ("sky-7b",)
