"""The channel keeps the promises of channels, against a real Dovecot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing.contracts.channel import ChannelContract


class TestEmail(ChannelContract):
    plugin = "channels.email"
    chat = "u1@example.org"

    @pytest.fixture(autouse=True)
    def _servers(self, platform: Any) -> None:
        self._platform = platform

    @asynccontextmanager
    async def platform(self, folder: Path) -> AsyncIterator[Any]:
        async with self._platform.open() as platform:
            yield platform
