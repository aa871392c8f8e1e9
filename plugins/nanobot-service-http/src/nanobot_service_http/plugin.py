"""Registers the HTTP server of the gateway."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot import hookimpl
from nanobot_gateway.specs import ServiceSpec

from nanobot_service_http.config import HttpConfig


@hookimpl
def nanobot_services() -> Iterable[ServiceSpec]:
    """Return the service."""
    yield ServiceSpec(
        name="http",
        factory="nanobot_service_http.service:open_service",
        config=HttpConfig,
        title="HTTP server",
        section="gateway",
    )
