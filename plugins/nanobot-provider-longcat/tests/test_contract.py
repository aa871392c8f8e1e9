"""The provider contract, held by LongCat."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestLongCat(ChatVendorContract):
    plugin = "providers.longcat"
    model = "LongCat-2.0"
    named_by = ("LongCat-2.0", "meituan/longcat-flash-chat")
    not_named_by = ("long-cat-7b",)
