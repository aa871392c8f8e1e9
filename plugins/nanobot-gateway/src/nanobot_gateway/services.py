"""The services of a gateway: opened and kept running."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, fields
from functools import partial
from typing import Any

from nanobot.admin import Parts, Plugin
from nanobot.context import Clock, PluginContext
from nanobot.messages import Inbound

from nanobot_gateway.channel import Accepted, Outgoing
from nanobot_gateway.service import Health, ServiceContext
from nanobot_gateway.store import Store
from nanobot_gateway.supervise import Supervised


@dataclass(frozen=True, kw_only=True)
class Facilities:
    """What services may use of the gateway."""

    submit: Callable[[Inbound], Awaitable[Accepted]]
    send: Callable[[Outgoing], Awaitable[None]]
    store: Store
    health: Callable[[], Health]


class Services:
    """Keeps all installed services running that are not switched off.

    Args:
        parts: The instance's plugins and configuration.
        facilities: What they may use.
        clock: The time.
        changed: Told whenever the condition of one changes.
    """

    def __init__(
        self, parts: Parts, facilities: Facilities, clock: Clock, changed: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._facilities = facilities
        self._clock = clock
        self._changed = changed
        self._running: dict[str, Supervised] = {}

    def start(self) -> None:
        """Start them."""
        self._parts.host.load("services")
        for plugin in self._parts.registry.usable("services"):
            self._running[plugin.spec.name] = Supervised(
                plugin.id, partial(self._serve, plugin), self._clock, self._changed
            )

    async def stop(self) -> None:
        """Stop them."""
        await asyncio.gather(*(each.stop() for each in self._running.values()))
        self._running.clear()

    async def settled(self) -> None:
        """Wait until each is up or has failed once."""
        await asyncio.gather(*(each.settled() for each in self._running.values()))

    def states(self) -> dict[str, str]:
        """Return the state of every service by id, for people."""
        return {each.id: each.state for each in self._running.values()}

    def troubles(self) -> list[str]:
        """Return what is not as wanted, in words."""
        return [f"{each.id} {each.state}" for each in self._running.values() if not each.ok]

    async def _serve(self, plugin: Plugin, up: Callable[[], None]) -> None:
        given = self._facilities

        async def open_plugin(kind: str, name: str) -> Any:
            self._parts.host.load(kind, [name])
            return await self._parts.registry.open(kind, name)

        def extend(context: PluginContext) -> PluginContext:
            return ServiceContext(
                **{field.name: getattr(context, field.name) for field in fields(context)},
                **{field.name: getattr(given, field.name) for field in fields(given)},
                ready=up,
                open=open_plugin,
            )

        section = self._parts.sections(plugin.spec, "services")
        async with self._parts.registry.enter(plugin, section, plugin.id, extend) as service:
            await service.run()
