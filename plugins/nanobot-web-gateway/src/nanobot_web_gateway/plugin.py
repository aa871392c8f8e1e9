"""Offers the API."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_service_http.specs import WebSpec

from nanobot_web_gateway.config import GatewayApiConfig


@hookimpl
def nanobot_web() -> list[WebSpec]:
    """Return the app; only callers with the gateway's token reach it."""
    return [
        WebSpec(
            name="gateway",
            factory="nanobot_web_gateway.app:open_web",
            title="Gateway API",
            config=GatewayApiConfig,
            mount="/api",
            max_body_bytes=4096,
        )
    ]
