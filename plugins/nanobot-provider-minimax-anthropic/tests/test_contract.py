"""The provider contract, held by MiniMax."""

from __future__ import annotations

from nanobot_testing import ProviderContract


class TestMiniMaxAnthropic(ProviderContract):
    plugin = "providers.minimax_anthropic"
    dialect = "messages"
    model = "MiniMax-M3"
