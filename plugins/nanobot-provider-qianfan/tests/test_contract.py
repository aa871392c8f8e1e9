"""The provider contract, held by Qianfan."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestQianfan(ChatVendorContract):
    plugin = "providers.qianfan"
    model = "ernie-4.5-turbo-128k"
    named_by = ("ernie-4.5-turbo-128k", "baidu/ernie-5.0")
    not_named_by = ("bernie-7b",)
