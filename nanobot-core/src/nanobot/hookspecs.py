"""The hooks. All are synchronous, called once at start-up, and return frozen specs.

A plugin module implements the hooks of the kind under which its entry point is registered, plus
any of the cross-cutting ones. Nothing is opened here: each spec names a factory that is imported
on first use.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from nanobot.engine import EngineSpec
from nanobot.findings import AdviceRequest, Finding
from nanobot.routing import Route, RouteRequest, RouterSpec
from nanobot.specs import (
    CommandSpec,
    KindSpec,
    MiddlewareSpec,
    ObserverSpec,
    PromptSpec,
    ProviderSpec,
    ToolSpec,
)

PROJECT = "nanobot"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)

# The functions have no bodies: pluggy takes them as signatures, which mypy calls empty.

# --- first: extension points that plugins open -------------------------------------------------


@hookspec
def nanobot_kinds() -> Iterable[KindSpec]:  # type: ignore[empty-body]
    """Return extension points of your own; called before every other hook."""


# --- after configuration sections are validated -------------------------------------------------


@hookspec
def nanobot_engines() -> Iterable[EngineSpec]:  # type: ignore[empty-body]
    """Return an engine, which runs turns. Entry-point group ``nanobot.v1.engines``."""


@hookspec
def nanobot_routers() -> Iterable[RouterSpec]:  # type: ignore[empty-body]
    """Return a router, which chooses models. Entry-point group ``nanobot.v1.routers``."""


@hookspec
def nanobot_providers() -> Iterable[ProviderSpec]:  # type: ignore[empty-body]
    """Return model vendors. Entry-point group ``nanobot.v1.providers``."""


@hookspec
def nanobot_tools() -> Iterable[ToolSpec]:  # type: ignore[empty-body]
    """Return tools. Entry-point group ``nanobot.v1.tools``."""


@hookspec
def nanobot_commands() -> Iterable[CommandSpec]:  # type: ignore[empty-body]
    """Return slash commands. Entry-point group ``nanobot.v1.commands``."""


@hookspec
def nanobot_prompts() -> Iterable[PromptSpec]:  # type: ignore[empty-body]
    """Return prompt sections. Entry-point group ``nanobot.v1.prompts``."""


@hookspec
def nanobot_middleware() -> Iterable[MiddlewareSpec]:  # type: ignore[empty-body]
    """Return middleware. Entry-point group ``nanobot.v1.middleware``."""


@hookspec
def nanobot_observers() -> Iterable[ObserverSpec]:  # type: ignore[empty-body]
    """Return observers. Entry-point group ``nanobot.v1.observers``."""


# --- when an instance has started ---------------------------------------------------------------


@hookspec
def nanobot_advice(request: AdviceRequest) -> Iterable[Finding]:  # type: ignore[empty-body]
    """Return what the user should know of the configuration. Group ``nanobot.v1.advice``."""


# --- questions, the first plugin with an answer wins --------------------------------------------


@hookspec(firstresult=True)
def nanobot_route_model(request: RouteRequest) -> Route | None:
    """Say which provider answers for a model id that names none; None to leave it to others.

    The router asks before it decides. Entry-point group ``nanobot.v1.routes``.
    """


@hookspec(firstresult=True)
def nanobot_resolve_secret(scheme: str, ref: str) -> str | None:
    """Return the secret behind a configuration value ``scheme:ref``; None when it is not yours."""
