"""Settings of the Telegram channel."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from nanobot.config import Secret
from nanobot_gateway.config import ChannelConfig
from pydantic import AfterValidator, BeforeValidator, Field, model_validator

WEBHOOK_KEYS = frozenset(
    {
        *("webhookUrl", "webhookListenHost", "webhookListenPort", "webhookPath"),
        *("webhookSecretToken", "webhookMaxConnections"),
        *("webhook_url", "webhook_listen_host", "webhook_listen_port", "webhook_path"),
        *("webhook_secret_token", "webhook_max_connections"),
    }
)
"""Keys of older configurations that say nothing as long as updates are polled for."""


def _polling(value: Any) -> Any:
    if value == "webhook":
        raise ValueError(
            "webhooks are not offered; remove the key or write `polling`, which needs no open port"
        )
    return value


def _proxy(value: str | None) -> str | None:
    parts = urlsplit(value or "")
    if value and (parts.scheme not in ("http", "https", "socks5", "socks5h") or not parts.hostname):
        raise ValueError("write a proxy as http://, https://, socks5:// or socks5h:// and its host")
    return value or None


def _base(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ValueError("give the address of a Bot API server, such as https://api.telegram.org")
    return value.rstrip("/")


class TelegramConfig(ChannelConfig):
    """Section `channels.telegram`."""

    token: Secret | None = Field(
        default=None,
        description="The bot's token from @BotFather; `${VAR}` reads an environment variable.",
    )
    api_base: Annotated[str, AfterValidator(_base)] = Field(
        default="https://api.telegram.org",
        description="Address of the Bot API server; `baseUrl` is read too.",
    )
    mode: Annotated[Literal["polling"], BeforeValidator(_polling)] = Field(
        default="polling", description="How messages come in: the bot asks for them."
    )
    proxy: Annotated[str | None, AfterValidator(_proxy)] = Field(
        default=None, description="Proxy URL (http, https, socks5, socks5h) for all connections."
    )
    reply_to_message: bool = Field(
        default=False, description="Quote the message that an answer belongs to."
    )
    react_emoji: str = Field(
        default="👀",
        description="Reaction on a message that is being worked on; empty for none.",
    )
    inline_keyboards: bool = Field(
        default=True, description="Show choices as buttons; false lists them as text."
    )
    edited_messages: bool = Field(
        default=False, description="Take a message that its author edits as a new one."
    )
    stream_edit_interval: float = Field(
        default=0.6, ge=0.1, le=60, description="Seconds between two edits of a growing answer."
    )
    max_file_mb: int = Field(
        default=20,
        ge=0,
        le=2000,
        description="Largest file to fetch; Telegram's own server gives no more than 20 MB.",
    )
    connection_pool_size: int = Field(
        default=32, ge=2, le=512, description="Most connections to Telegram at once."
    )
    pool_timeout: float = Field(
        default=5.0, gt=0, le=120, description="Seconds to wait for one of them."
    )

    @model_validator(mode="before")
    @classmethod
    def _read_older_forms(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = {key: value for key, value in data.items() if key not in WEBHOOK_KEYS}
        for older in ("baseUrl", "base_url"):
            if older in data and not {"apiBase", "api_base"} & data.keys():
                data["apiBase"] = data.pop(older)
        for older in ("richMessages", "rich_messages"):
            if data.get(older) is False:
                del data[older]
        return data
