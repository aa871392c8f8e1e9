"""The provider contract, held by Ant Ling."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestAntLing(ChatVendorContract):
    plugin = "providers.ant_ling"
    model = "Ling-2.6-1T"
    named_by = ("Ling-2.6-1T", "inclusionAI/Ring-2.6-1T")
    not_named_by = ("sterling-7b", "starling-lm-7b", "string-theory", "duckling")
