"""The services of a gateway: opened and kept running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from nanobot.admin import Parts, Plugin
from nanobot.config import PluginConfig
from nanobot.context import Clock, Extension, PluginContext
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
        self._settings: dict[str, dict[tuple[str, str], PluginConfig]] = {}
        """By service: its section and those of the plugins that it opened."""

    def start(self) -> None:
        """Start those that do not run yet."""
        self._parts.host.load("services")
        for plugin in self._parts.registry.usable("services"):
            if plugin.spec.name not in self._running:
                self._running[plugin.spec.name] = Supervised(
                    plugin.id, partial(self._serve, plugin), self._clock, self._changed
                )

    async def reload(self, parts: Parts) -> list[str]:
        """Take a changed configuration; return the ids of what was started or stopped."""
        self._parts = parts
        parts.host.load("services")
        wanted = {plugin.spec.name for plugin in parts.registry.usable("services")}
        changed = [
            name
            for name in self._running
            if name not in wanted
            or any(self._section(*of) != was for of, was in self._settings[name].items())
        ]
        await asyncio.gather(*(self._running.pop(name).stop() for name in changed))
        touched = {*changed, *(wanted - set(self._running))}
        self.start()
        return sorted(f"services.{name}" for name in touched)

    def _section(self, kind: str, name: str) -> PluginConfig | None:
        """Return the settings of a plugin as they are now, None where it can not be used."""
        self._parts.host.load(kind, [name])
        plugin = self._parts.registry.plugins(kind).get(name)
        return self._parts.registry.section(plugin) if plugin else None

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
        given, parts = self._facilities, self._parts
        section = parts.sections(plugin.spec, "services")
        settings = self._settings[plugin.spec.name] = {("services", plugin.spec.name): section}
        stack = AsyncExitStack()

        @asynccontextmanager
        async def own(kind: str, name: str) -> AsyncIterator[Any]:
            """Open a plugin for this service alone: it stays when another instance takes over."""
            found = parts.registry.plugins(kind)[name]
            section = settings[kind, name] = parts.sections(found.spec, kind)
            entering = parts.registry.enter(found, section, found.id, lambda context: context)
            async with entering as opened:
                yield opened

        async def open_plugin(kind: str, name: str) -> Any:
            parts.host.load(kind, [name])
            if name not in parts.registry.plugins(kind):
                return await parts.registry.open(kind, name)  # says why there is none
            return await stack.enter_async_context(own(kind, name))

        def extensions(context: PluginContext, kind: str) -> Mapping[str, Extension]:
            found = context.extensions(kind)
            return {
                name: replace(each, open=partial(own, kind, name)) for name, each in found.items()
            }

        def extend(context: PluginContext) -> PluginContext:
            inherited = {field.name: getattr(context, field.name) for field in fields(context)}
            inherited["extensions"] = partial(extensions, context)
            return ServiceContext(
                **inherited,
                **{field.name: getattr(given, field.name) for field in fields(given)},
                ready=up,
                open=open_plugin,
            )

        async with stack, parts.registry.enter(plugin, section, plugin.id, extend) as service:
            await service.run()
