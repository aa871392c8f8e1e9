"""The provider contract, held by custom."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from nanobot_testing import ProviderContract


class TestCustom(ProviderContract):
    plugin = "providers.custom"
    config: ClassVar[Mapping[str, object]] = {"thinkingStyle": "enable_thinking"}
