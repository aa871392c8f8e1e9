"""The provider contract, held by Xiaomi MiMo."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestXiaomiMimo(ChatVendorContract):
    plugin = "providers.xiaomi_mimo"
    model = "mimo-v2.5-pro"
    named_by = ("mimo-v2.5-pro", "xiaomi/mimo-v2-flash")
    not_named_by = ("mimosa-7b",)
