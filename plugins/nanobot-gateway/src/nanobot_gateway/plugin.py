"""Registers the gateway's extension points and its slash commands."""

from __future__ import annotations

import os
from collections.abc import Iterable

from nanobot import hookimpl
from nanobot.findings import AdviceRequest, Finding
from nanobot.messages import Role
from nanobot.specs import CommandSpec, KindSpec, Spec

from nanobot_gateway.hookspecs import Channels, Enrichers, Services, Stores
from nanobot_gateway.specs import ChannelSpec, ServiceSpec, StoreSpec


@hookimpl
def nanobot_kinds() -> Iterable[KindSpec]:
    """Open the kinds that plug into the gateway."""
    yield KindSpec(name="channels", hookspecs=Channels, spec=ChannelSpec, title="Chat apps")
    yield KindSpec(name="services", hookspecs=Services, spec=ServiceSpec, title="Services")
    yield KindSpec(name="enrichers", hookspecs=Enrichers, spec=Spec, title="Enrichers")
    yield KindSpec(name="stores", hookspecs=Stores, spec=StoreSpec, title="Stores")


@hookimpl
def nanobot_advice(request: AdviceRequest) -> Iterable[Finding]:
    """Say what is wrong with the named agents and their bindings."""
    if "bindings" in request.document or "profiles" in request.document.get("agents", {}):
        from nanobot_gateway.bindings import read

        found = read(request.document, os.environ)
        yield from found if isinstance(found, tuple) else ()


@hookimpl
def nanobot_commands() -> Iterable[CommandSpec]:
    """Offer the commands that need the gateway, and pairing."""
    yield CommandSpec(
        name="stop",
        factory="nanobot_gateway.commands:open_stop",
        description="Stop what is running in this chat.",
        role=Role.USER,
        while_running=True,
    )
    yield CommandSpec(
        name="restart",
        factory="nanobot_gateway.commands:open_restart",
        description="Restart the gateway.",
        role=Role.OWNER,
        while_running=True,
    )
    yield CommandSpec(
        name="pairing",
        factory="nanobot_gateway.commands:open_pairing",
        description="List, approve, deny or revoke who may talk to the agent.",
        usage="[list | approve CODE | deny CODE | revoke [CHANNEL] ID]",
        role=Role.OWNER,
        while_running=True,
    )
