"""The promises of every channel, against a server that speaks the platform's protocol."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import ModuleType
from typing import ClassVar

import pytest
from nanobot_testing.contracts.channel import ChannelContract, Platform


class TestFeishu(ChannelContract):
    plugin = "channels.feishu"
    config: ClassVar[Mapping[str, object]] = {}
    chat = "ou_u1"

    @pytest.fixture(autouse=True)
    def _server(self, feishu: ModuleType) -> None:
        self._feishu = feishu

    def platform(self, folder: Path) -> AbstractAsyncContextManager[Platform]:
        return self._feishu.FeishuServer()
