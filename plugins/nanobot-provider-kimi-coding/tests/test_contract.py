"""The provider contract, held by Kimi Coding."""

from __future__ import annotations

from nanobot_testing import ProviderContract


class TestKimiCoding(ProviderContract):
    plugin = "providers.kimi_coding"
    dialect = "messages"
    model = "kimi-for-coding"
