"""The channel contract, held by Telegram."""

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot_testing import ChannelContract


class TestTelegram(ChannelContract):
    plugin = "channels.telegram"
    chat = "1001"

    @pytest.fixture(autouse=True)
    def _server(self, api: ModuleType) -> None:
        self.api = api

    def platform(self, folder: Path) -> AbstractAsyncContextManager[Any]:
        return self.api.BotApi()
