"""The channels of a gateway: opened, kept running, and handed what is to be said."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import fields
from functools import partial
from typing import Any

from nanobot import log
from nanobot.admin import Parts
from nanobot.context import Clock, PluginContext
from nanobot.paths import private_dir
from nanobot.specs import CommandSpec

from nanobot_gateway.access import EVERYBODY
from nanobot_gateway.accounts import Wanted, defaults_of, wanted
from nanobot_gateway.channel import Accepted, ChannelContext, DeliveryError, Incoming, Outgoing
from nanobot_gateway.delivery import Manners
from nanobot_gateway.intake import Account
from nanobot_gateway.outbox import Lane, Outbox
from nanobot_gateway.specs import ChannelSpec
from nanobot_gateway.supervise import Supervised

Accept = Callable[[Account, Incoming], Awaitable[Accepted]]
Admits = Callable[[Account, Incoming], bool]


class Channels:
    """Keeps the accounts of all channels running.

    Args:
        parts: The instance's plugins and configuration.
        outbox: Delivers through them.
        clock: The time.
        commands: Returns the slash commands, for menus.
        changed: Told whenever the condition of one changes.
    """

    def __init__(
        self,
        parts: Parts,
        outbox: Outbox,
        clock: Clock,
        commands: Callable[[], list[CommandSpec]],
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts
        self._outbox = outbox
        self._clock = clock
        self._commands = commands
        self._changed = changed
        self._open: dict[str, Any] = {}
        self._up: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._wanted: dict[str, Wanted] = {}
        self._running: dict[str, Supervised] = {}
        self.problems: dict[str, str] = {}
        self.accept: Accept
        self.admits: Admits

    # --- what the configuration wants -----------------------------------------------------------

    def plan(self) -> None:
        """Find out which accounts are wanted; nothing is connected."""
        self.problems = {}
        found = wanted(self._parts, self._open.get, self.problems)
        self._wanted = {each.account.name: each for each in found}
        for id, problem in self.problems.items():
            log.get(part=id).error("not_connected", reason=problem)
        for name, each in self._wanted.items():
            if EVERYBODY in each.account.section.allow_from and not _spec(each).local:
                log.get(part=f"channels.{name}").warning("open_to_everybody", setting="allowFrom")

    def manners(self, name: str) -> Manners | None:
        """Return how an account wants turns shown, None if there is no such account."""
        found = self._wanted.get(name)
        return found.account.manners if found else None

    def start(self) -> None:
        """Connect what is wanted and does not run yet."""
        attempts = max(defaults_of(self._parts.config).send_max_retries, 1)
        for name, each in self._wanted.items():
            if name not in self._running:
                self._running[name] = Supervised(
                    f"channels.{name}", partial(self._serve, each), self._clock, self._changed
                )
                lane = Lane(
                    send=partial(self._send, name),
                    ready=self._up[name].wait,
                    attempts=attempts,
                    deduplicates=_spec(each).deduplicates,
                )
                self._outbox.connect(name, lane)

    async def reload(self, parts: Parts) -> list[str]:
        """Take a changed configuration: restart what changed and nothing else.

        Returns:
            What was started, restarted or stopped.

        Raises:
            ConfigError: What holds for all channels is not valid; everything stays as it is.
        """
        common = defaults_of(parts.config) != defaults_of(self._parts.config)
        before, self._parts = self._wanted, parts
        self.plan()
        touched = [
            name
            for name in {**before, **self._wanted}
            if common
            or name not in before
            or name not in self._wanted
            or before[name].account.section != self._wanted[name].account.section
        ]
        for name in touched:
            await self._stop(name)
        self.start()
        return touched

    async def _stop(self, name: str) -> None:
        running = self._running.pop(name, None)
        if running:
            self._outbox.disconnect(name)
            await running.stop()

    async def stop(self) -> None:
        """Disconnect everything."""
        await asyncio.gather(*(self._stop(name) for name in list(self._running)))

    async def settled(self) -> None:
        """Wait until each is up or has failed once."""
        await asyncio.gather(*(each.settled() for each in self._running.values()))

    def states(self) -> dict[str, str]:
        """Return the state of every account by id, for people."""
        states = {f"channels.{name}": each.state for name, each in self._running.items()}
        return {**states, **self.problems}

    def troubles(self) -> list[str]:
        """Return what is not as wanted, in words."""
        lost = [f"{e.id} {e.state}" for e in self._running.values() if not e.ok]
        return [*lost, *(f"{id} {problem}" for id, problem in self.problems.items())]

    # --- one account ----------------------------------------------------------------------------

    async def _serve(self, each: Wanted, up: Callable[[], None]) -> None:
        """Open a channel and run it; the supervisor calls again when that ends."""
        name, account = each.account.name, each.account

        def ready() -> None:
            self._up[name].set()
            up()

        def extend(context: PluginContext) -> PluginContext:
            return ChannelContext(
                **{field.name: getattr(context, field.name) for field in fields(context)},
                account=account.account,
                accept=partial(self.accept, account),
                admits=partial(self.admits, account),
                ready=ready,
                media=private_dir(self._parts.instance.media / name),
                commands=self._commands,
            )

        opened = self._parts.registry.enter(
            each.plugin, account.section, f"channels.{name}", extend
        )
        async with opened as channel:
            self._open[name] = channel
            try:
                await channel.run()
            finally:
                self._up[name].clear()
                del self._open[name]
        raise ConnectionError("the connection ended")

    async def _send(self, name: str, message: Outgoing) -> str:
        channel = self._open.get(name)
        if channel is None:
            raise DeliveryError("the channel is not connected")
        sent = await channel.send(message)
        return str(sent)


def _spec(each: Wanted) -> ChannelSpec:
    assert isinstance(each.plugin.spec, ChannelSpec)
    return each.plugin.spec
