"""Registers the channel; its SDK is not imported here."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_gateway.specs import ChannelSpec

from nanobot_channel_feishu.config import FeishuConfig


@hookimpl
def nanobot_channels() -> list[ChannelSpec]:
    """Offer Feishu, and Lark, its name outside of China."""
    return [
        ChannelSpec(
            name="feishu",
            title="Feishu / Lark",
            factory="nanobot_channel_feishu.channel:open_channel",
            config=FeishuConfig,
            options={"login": "nanobot_channel_feishu.login:login"},
            capabilities=frozenset({"edits", "typing"}),
            # A card or rich text takes 30 KB as JSON, in which quotes and line ends are escaped.
            max_length=15_000,
            unit="bytes",
            deduplicates=True,
        )
    ]
