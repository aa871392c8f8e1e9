"""Offers the WebSocket channel."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_gateway.specs import ChannelSpec

from nanobot_channel_websocket.config import WebSocketConfig


@hookimpl
def nanobot_channels() -> list[ChannelSpec]:
    """Return the channel."""
    return [
        ChannelSpec(
            name="websocket",
            title="WebSocket",
            factory="nanobot_channel_websocket.channel:open_channel",
            config=WebSocketConfig,
            options={"login": "nanobot_channel_websocket.login:login"},
            capabilities=frozenset({"events"}),
            deduplicates=True,
            pairing=False,
            local=True,
        )
    ]
