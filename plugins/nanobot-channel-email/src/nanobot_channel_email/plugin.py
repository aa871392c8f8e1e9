"""Offers e-mail as a channel."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_gateway.specs import ChannelSpec

from nanobot_channel_email.config import EmailConfig


@hookimpl
def nanobot_channels() -> list[ChannelSpec]:
    """Return the channel."""
    return [
        ChannelSpec(
            name="email",
            title="E-mail",
            factory="nanobot_channel_email.channel:open_channel",
            config=EmailConfig,
            options={"login": "nanobot_channel_email.login:login"},
            pairing=False,  # an answer to a stranger would be backscatter
        )
    ]
