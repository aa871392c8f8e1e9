"""The provider contract, held by OrcaRouter."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestOrcaRouter(ChatVendorContract):
    plugin = "providers.orcarouter"
    model = "openai/gpt-4o-mini"
    named_by = ("orcarouter/openai/gpt-5.5",)
