"""The provider contract, held by StepFun."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestStepFun(ChatVendorContract):
    plugin = "providers.stepfun"
    model = "step-3.7-flash"
    named_by = ("step-3.7-flash", "stepfun/step-3.5-flash", "step-r1-v-mini")
    not_named_by = ("step-by-step-reasoner", "one-step")
