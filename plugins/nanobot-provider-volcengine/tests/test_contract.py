"""The provider contract, held by Volcengine Ark."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestVolcengine(ChatVendorContract):
    plugin = "providers.volcengine"
    model = "doubao-seed-2-0-pro-260215"
    samples = "ark.json"
    named_by = ("doubao-seed-2-0-pro-260215", "ark-code-latest")
    not_named_by = ("spark-max", "bark-small", "arkose")


class TestVolcengineCodingPlan(ChatVendorContract):
    plugin = "providers.volcengine_coding_plan"
    model = "ark-code-latest"
    samples = "plan.json"
    named_by = ("volcengine-plan/ark-code-latest",)
    not_named_by = ("ark-code-latest", "doubao-seed-2-0-pro-260215")
