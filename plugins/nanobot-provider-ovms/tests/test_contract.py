"""The provider contract, held by OpenVINO Model Server."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestOvms(ChatVendorContract):
    plugin = "providers.ovms"
    model = "OpenVINO/Qwen3-8B-int4-ov"
    named_by = ("OpenVINO/Qwen3-8B-int4-ov", "ovms/phi-4")
