"""The provider contract, held by MiniMax."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestMiniMax(ChatVendorContract):
    plugin = "providers.minimax"
    model = "MiniMax-M3"
    named_by = ("MiniMax-M3", "minimax/minimax-m2.7")
