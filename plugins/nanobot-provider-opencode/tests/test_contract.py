"""The provider contract, held by OpenCode."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestOpenCode(ChatVendorContract):
    plugin = "providers.opencode"
    model = "kimi-k2.6"
    samples = "zen.json"
    named_by = ("opencode/minimax-m3", "opencode-zen/glm-5.3")
    not_named_by = ("open-code-7b",)


class TestOpenCodeZen(ChatVendorContract):
    plugin = "providers.opencode_zen"
    model = "kimi-k2.6"
    samples = "zen.json"
    named_by = ("opencode-zen/glm-5.3", "opencode_zen/glm-5.3")
    not_named_by = ("opencode-go/glm-5.3",)


class TestOpenCodeGo(ChatVendorContract):
    plugin = "providers.opencode_go"
    model = "glm-5.3"
    samples = "go.json"
    named_by = ("opencode-go/glm-5.3",)
    not_named_by = ("opencode-zen/glm-5.3",)
