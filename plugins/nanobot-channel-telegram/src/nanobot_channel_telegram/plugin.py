"""Offers Telegram as a channel."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_gateway.specs import ChannelSpec

from nanobot_channel_telegram.config import TelegramConfig


@hookimpl
def nanobot_channels() -> list[ChannelSpec]:
    """Return the channel."""
    return [
        ChannelSpec(
            name="telegram",
            title="Telegram",
            factory="nanobot_channel_telegram.channel:open_channel",
            config=TelegramConfig,
            options={"login": "nanobot_channel_telegram.login:login"},
            capabilities=frozenset({"edits", "typing"}),
            max_length=4096,  # https://core.telegram.org/bots/api#sendmessage
            unit="utf16",
        )
    ]
