"""Registers the rules."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot.routing import Route, RouteRequest

from nanobot_router_standard.rules import choose


@hookimpl
def nanobot_route_model(request: RouteRequest) -> Route | None:
    """Choose a provider by prefix, keyword, and what is set up."""
    return choose(request)
