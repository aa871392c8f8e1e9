"""The provider contract, held by Novita AI."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestNovita(ChatVendorContract):
    plugin = "providers.novita"
    model = "deepseek/deepseek-v3.2"
    named_by = ("novita/zai-org/glm-4.7",)
