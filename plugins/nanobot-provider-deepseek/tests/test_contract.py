"""The provider contract, held by deepseek."""

from __future__ import annotations

from nanobot_testing import ProviderContract


class TestDeepSeek(ProviderContract):
    plugin = "providers.deepseek"
    model = "deepseek-chat"
