"""The provider contract, held by Gemini."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestGemini(ChatVendorContract):
    plugin = "providers.gemini"
    model = "gemini-3.8-flash"
    named_by = ("gemini-2.5-pro", "google/gemini-3.8-flash", "gemma-3-27b-it")
