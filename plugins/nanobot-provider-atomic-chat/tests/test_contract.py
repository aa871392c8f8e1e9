"""The provider contract, held by Atomic Chat."""

from __future__ import annotations

from nanobot_testing import ChatVendorContract


class TestAtomicChat(ChatVendorContract):
    plugin = "providers.atomic_chat"
    model = "qwen3-8b"
    named_by = ("atomic-chat/qwen3-8b", "atomic_chat/qwen3-8b")
    not_named_by = ("atomic-7b",)
