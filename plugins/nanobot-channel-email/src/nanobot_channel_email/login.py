"""``nanobot channels login email``: logs into both servers."""

from __future__ import annotations

from collections.abc import Callable

from nanobot_gateway.channel import ChannelContext

from nanobot_channel_email.channel import open_channel
from nanobot_channel_email.config import EmailConfig


async def login(
    config: EmailConfig, context: ChannelContext, console: Callable[[str], None]
) -> str:
    """Log into the IMAP and the SMTP server, and say of each whether it works.

    No mail is fetched and none is sent.

    Raises:
        nanobot.errors.NanobotError: One of them does not; names the setting.
    """
    async with open_channel(config, context) as channel:
        return await channel.check(console)
