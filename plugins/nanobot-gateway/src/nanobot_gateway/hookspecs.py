"""The hooks of the gateway's extension points."""

from __future__ import annotations

from collections.abc import Iterable

from nanobot.hookspecs import hookspec
from nanobot.specs import Spec

from nanobot_gateway.specs import ChannelSpec, ServiceSpec, StoreSpec

# The functions have no bodies: pluggy takes them as signatures, which mypy calls empty.


class Channels:
    """Extension point ``channels``."""

    @hookspec
    def nanobot_channels(self) -> Iterable[ChannelSpec]:  # type: ignore[empty-body]
        """Return chat apps. Entry-point group ``nanobot.v1.channels``."""


class Services:
    """Extension point ``services``."""

    @hookspec
    def nanobot_services(self) -> Iterable[ServiceSpec]:  # type: ignore[empty-body]
        """Return services. Entry-point group ``nanobot.v1.services``."""


class Enrichers:
    """Extension point ``enrichers``."""

    @hookspec
    def nanobot_enrichers(self) -> Iterable[Spec]:  # type: ignore[empty-body]
        """Return enrichers of messages. Entry-point group ``nanobot.v1.enrichers``."""


class Stores:
    """Extension point ``stores``."""

    @hookspec
    def nanobot_stores(self) -> Iterable[StoreSpec]:  # type: ignore[empty-body]
        """Return a store. Entry-point group ``nanobot.v1.stores``."""
