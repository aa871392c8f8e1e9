"""The provider contract, held by NVIDIA NIM."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestNvidia(ChatVendorContract):
    plugin = "providers.nvidia"
    model = "nvidia/nemotron-3-super-120b-a12b"
    named_by = ("nvidia/nemotron-3-super-120b-a12b", "nemotron-3-nano:30b")
