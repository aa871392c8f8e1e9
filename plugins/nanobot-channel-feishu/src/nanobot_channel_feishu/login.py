"""``nanobot channels login feishu``: tries the app's id and secret."""

from __future__ import annotations

from collections.abc import Callable

from nanobot_gateway.channel import ChannelContext

from nanobot_channel_feishu.channel import open_channel
from nanobot_channel_feishu.config import FeishuConfig


async def login(
    config: FeishuConfig, context: ChannelContext, console: Callable[[str], None]
) -> str:
    """Get a token, look at the bot and ask where to connect; nothing is connected.

    Raises:
        nanobot.errors.NanobotError: Some of that failed; its remedy says what to change.
    """
    async with open_channel(config, context) as channel:
        bot, _ = await channel.check()
        section = channel.section
    return (
        f"{section}.appId and appSecret are those of the bot {bot.get('app_name') or '(no name)'}; "
        "it may receive events."
    )
