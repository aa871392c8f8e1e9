"""The provider contract, held by Zhipu AI."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestZhipu(ChatVendorContract):
    plugin = "providers.zhipu"
    model = "glm-5.3"
    named_by = ("glm-5.3", "zai-org/glm-4.7")
    not_named_by = ("glmm-1",)
