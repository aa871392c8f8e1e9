"""The promises of every provider, against a server that speaks Converse."""

from collections.abc import Mapping
from typing import ClassVar

import pytest
from nanobot_testing import ProviderContract
from nanobot_testing.contracts import provider


class TestBedrock(ProviderContract):
    plugin = "providers.bedrock"
    config: ClassVar[Mapping[str, object]] = {"region": "us-east-1"}
    dialect = "converse"
    model = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"

    @pytest.fixture(autouse=True)
    def _server(self, monkeypatch: pytest.MonkeyPatch) -> None:
        server = "nanobot_testing.servers.converse:ConverseServer"
        monkeypatch.setitem(provider._SERVERS, "converse", server)
