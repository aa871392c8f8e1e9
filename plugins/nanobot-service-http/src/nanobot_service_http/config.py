"""The settings of the HTTP server."""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Any

from nanobot.config import PluginConfig, Secret
from pydantic import AfterValidator, ConfigDict, Field, model_validator

SHORTEST_TOKEN = 16
_NAME = r"(?:[A-Za-z0-9_.-]+|\[[0-9A-Fa-f:.]+\])"
_ORIGIN = re.compile(rf"[A-Za-z][A-Za-z0-9+.-]*://{_NAME}(?::\d{{1,5}})?")
_HOST = re.compile(rf"{_NAME}(?::\d{{1,5}})?")


def _check_bind(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:%-]+", value) or value.isdigit():
        raise ValueError("must be an address or a name to listen on, such as 127.0.0.1")
    return value


def _check_host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("must be a name with or without a port, such as bot.example.com")
    return value.lower()


def _check_origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError("must be an origin without a path, such as https://bot.example.com")
    return value.lower()


def _check_token(value: Secret | None) -> Secret | None:
    if value and len(value.reveal()) < SHORTEST_TOKEN:
        raise ValueError(f"must have {SHORTEST_TOKEN} characters or more")
    return value


class HttpConfig(PluginConfig):
    """The part of the section ``gateway`` that is the HTTP server's; others have parts in it too.

    Keys that are not known here are passed over, unless they look like a misspelt one.
    """

    model_config = ConfigDict(extra="ignore")

    host: Annotated[str, AfterValidator(_check_bind)] = Field(
        default="127.0.0.1", description="Address to listen on; `0.0.0.0` or `::` for all."
    )
    port: int = Field(
        default=18790, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    token: Annotated[Secret | None, AfterValidator(_check_token)] = Field(
        default=None,
        description="What callers send as `Authorization: Bearer ...`; null makes one.",
    )
    allowed_hosts: tuple[Annotated[str, AfterValidator(_check_host)], ...] = Field(
        default=(), description="More names under which browsers and clients reach it."
    )
    allowed_origins: tuple[Annotated[str, AfterValidator(_check_origin)], ...] = Field(
        default=(), description="Origins of foreign pages that may call it."
    )
    max_body_bytes: int = Field(
        default=20 * 1024 * 1024, ge=1024, description="Longest request body, in bytes."
    )
    request_timeout_s: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="Seconds for a body to arrive, for an answer to begin, and for a reader to "
        "take what it is sent.",
    )
    max_concurrent: int = Field(
        default=64, ge=1, le=10_000, description="Requests and WebSockets at the same time."
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_misspelt(cls, data: Any) -> Any:
        own = [field.alias or name for name, field in cls.model_fields.items()]
        known = {*own, *cls.model_fields, "enable"}
        folded = {_fold(name): name for name in own}
        for key in data if isinstance(data, dict) else ():
            if isinstance(key, str) and key not in known:
                near = difflib.get_close_matches(_fold(key), folded, n=1, cutoff=0.8)
                if near:
                    raise ValueError(f"{key}: unknown key; did you mean {folded[near[0]]}?")
        return data


def _fold(key: str) -> str:
    return key.replace("_", "").replace("-", "").lower()
