"""The provider contract, held by Mistral AI."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestMistral(ChatVendorContract):
    plugin = "providers.mistral"
    model = "mistral-medium-latest"
    named_by = (
        "mistral-large-latest",
        "mistral.large",
        "codestral-latest",
        "mistralai/devstral-small",
    )
    not_named_by = ("mistralite-7b",)
