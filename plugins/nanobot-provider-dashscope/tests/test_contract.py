"""The provider contract, held by DashScope."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestDashScope(ChatVendorContract):
    plugin = "providers.dashscope"
    model = "qwen-plus"
    named_by = ("qwen3-max", "qwen3.7-plus", "Qwen/Qwen3-8B", "qwq-32b")
    # The common one is what it calls its limits of tokens a minute.
    out_of_credit = (400, {"error": {"code": "Arrearage", "message": "Access denied."}})
