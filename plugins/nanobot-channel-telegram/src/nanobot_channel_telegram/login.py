"""``nanobot channels login telegram``: tries the token."""

from __future__ import annotations

from collections.abc import Callable

from nanobot_gateway.channel import ChannelContext

from nanobot_channel_telegram.channel import open_channel, setting
from nanobot_channel_telegram.config import TelegramConfig


async def login(
    config: TelegramConfig, context: ChannelContext, console: Callable[[str], None]
) -> str:
    """Ask Telegram whose token it is, and say the bot's name.

    Raises:
        nanobot.errors.ConfigError: There is no token, or Telegram does not know it.
        nanobot_channel_telegram.faults.ConnectionLost: Telegram can not be reached.
    """
    async with open_channel(config, context) as channel:
        me = await channel.identify()
    return (
        f"The token in {setting(context)} is that of {me.full_name}: "
        f"write to it at https://t.me/{me.username}"
    )
