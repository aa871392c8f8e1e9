"""The provider contract, held by BytePlus ModelArk."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestBytePlus(ChatVendorContract):
    plugin = "providers.byteplus"
    model = "seed-2-0-pro-260328"
    samples = "ark.json"
    named_by = ("byteplus/seed-2-0-pro-260328",)
    not_named_by = ("seed-oss-36b",)


class TestBytePlusCodingPlan(ChatVendorContract):
    plugin = "providers.byteplus_coding_plan"
    model = "ark-code-latest"
    samples = "plan.json"
    named_by = ("byteplus-plan/ark-code-latest",)
    not_named_by = ("byteplus/seed-2-0-pro-260328",)
