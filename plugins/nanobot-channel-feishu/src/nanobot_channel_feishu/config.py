"""The section ``channels.feishu``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from nanobot.config import Secret
from nanobot_gateway.config import ChannelConfig
from pydantic import Field, field_validator, model_validator
from pydantic.alias_generators import to_camel

SITES = {"feishu": "https://open.feishu.cn", "lark": "https://open.larksuite.com"}
"""Where the platform's API is, in China and elsewhere."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_NO_EFFECT = {
    "avatarUrl",
    "displayName",
    "id",
    "identityFetchedAt",
    "identityKey",
    "instanceId",
    "name",
    "toolHintPrefix",
}
"""Keys that older configurations hold and that this channel has no use for."""


class FeishuConfig(ChannelConfig):
    """Settings of an app of the platform."""

    app_id: str = Field(default="", description="App ID of the app, `cli_...`.")
    app_secret: Secret | None = Field(default=None, description="App Secret of the app.")
    domain: str = Field(
        default="feishu", description="`feishu`, `lark`, or the address of a private platform."
    )
    encrypt_key: Secret | None = Field(
        default=None, description="Encrypt Key, when the app's events are encrypted."
    )
    verification_token: Secret | None = Field(
        default=None, description="Verification Token; events with another one are refused."
    )
    react_emoji: str = Field(
        default="THUMBSUP", description="Reaction while a message is worked on; empty for none."
    )
    done_emoji: str | None = Field(
        default=None, description="Reaction once the answer is there; null for none."
    )
    reply_to_message: bool = Field(
        default=False, description="Answer as a reply; in groups that opens a topic."
    )
    topic_isolation: bool = Field(
        default=True, description="Give every topic a session of its own."
    )
    mention_all: bool = Field(
        default=False, description="Take a mention of everybody for a mention of the bot."
    )
    media_max_mb: int = Field(
        default=20, ge=0, le=100, description="Largest file to download, in megabytes."
    )

    @property
    def site(self) -> str:
        """Return the address of the API, without a slash at its end."""
        return SITES.get(self.domain, self.domain).rstrip("/")

    @field_validator("domain")
    @classmethod
    def _safe(cls, value: str) -> str:
        if value in SITES:
            return value
        parts = urlsplit(value)
        if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in _LOOPBACK):
            raise ValueError("must be `feishu`, `lark` or an https address")
        if not parts.hostname or "@" in parts.netloc or parts.path.strip("/") or parts.query:
            raise ValueError("must be an address without user, path and query")
        return value

    @model_validator(mode="before")
    @classmethod
    def _accept_instances(cls, data: Any) -> Any:
        """Take a list ``instances`` for accounts; its default or else first one is the section."""
        if not isinstance(data, dict):
            return data
        shared = _camel(data)
        instances = shared.pop("instances", None) or []
        if not isinstance(instances, list) or not all(isinstance(i, dict) for i in instances):
            raise ValueError("instances must be a list of objects")
        made = {key: value for key, value in shared.items() if key not in _NO_EFFECT}
        if not instances:
            return made
        named = _named([_camel(instance) for instance in instances])
        first = named.pop("default", None) or named.pop(next(iter(named)))
        accounts = dict(made.pop("accounts", None) or {})
        for name, own in named.items():
            # What the first one says of itself must not be inherited by the others.
            reset = {key: cls._default(key) for key in first.keys() - made.keys()}
            accounts[name] = {**reset, **made, **own}
        return {**made, **first, "accounts": accounts}

    @classmethod
    def _default(cls, key: str) -> Any:
        for field in cls.model_fields.values():
            if field.alias == key:
                return field.get_default(call_default_factory=True)
        return None


def _camel(data: Mapping[str, Any]) -> dict[str, Any]:
    return {to_camel(key) if "_" in key else key: value for key, value in data.items()}


def _named(instances: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the instances by id, without the keys that have no effect."""
    named: dict[str, dict[str, Any]] = {}
    for number, instance in enumerate(instances, 1):
        name = instance.get("instanceId") or instance.get("id")
        name = str(name or ("default" if number == 1 else f"assistant-{number}"))
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise ValueError(f"instances: the id {name!r} may hold letters, digits, _ and - only")
        if name in named:
            raise ValueError(f"instances: two have the id {name!r}; give each an id of its own")
        named[name] = {key: value for key, value in instance.items() if key not in _NO_EFFECT}
    return named
