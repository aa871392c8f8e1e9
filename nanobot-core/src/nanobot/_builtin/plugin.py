"""Registers the core's own part: routing. It goes through the same hooks as a plugin's."""

from __future__ import annotations

from nanobot._builtin.route import choose
from nanobot.hookspecs import hookimpl
from nanobot.routing import Route, RouteRequest


@hookimpl
def nanobot_route_model(request: RouteRequest) -> Route | None:
    """Choose a provider by prefix, keyword, and what is set up."""
    return choose(request)
