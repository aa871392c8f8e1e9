"""The promises of every plugin."""

from __future__ import annotations

from typing import ClassVar

import pytest
from nanobot.specs import Spec
from nanobot_testing.contracts.base import PluginContract


class TestHttp(PluginContract):
    plugin = "services.http"
    config: ClassVar = {"port": 0}

    @pytest.mark.xfail(
        strict=True,
        reason="the section `gateway` has keys of others: only what looks misspelt is refused",
    )
    def test_configuration_is_described_and_strict(self, spec: Spec) -> None:
        super().test_configuration_is_described_and_strict(spec)
