"""A gateway: an instance's engine, store, channels and services, and their life together."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from nanobot import log
from nanobot.admin import Config, Opened, Parts, Sections, install_hint, open_instance
from nanobot.context import Clock, SystemClock
from nanobot.errors import ConfigError, StorageError
from nanobot.messages import Inbound
from nanobot.paths import write_private
from nanobot.specs import CommandSpec

from nanobot_gateway.access import Gate
from nanobot_gateway.actor import Crew, Work
from nanobot_gateway.channel import Accepted, Outgoing
from nanobot_gateway.channels import Channels
from nanobot_gateway.commands import offer, orders
from nanobot_gateway.delivery import Manners, Place
from nanobot_gateway.intake import Desk, Intake
from nanobot_gateway.locking import held
from nanobot_gateway.outbox import Outbox, lane_of, row_of
from nanobot_gateway.pairing import PairingStore
from nanobot_gateway.service import Health
from nanobot_gateway.services import Facilities, Services
from nanobot_gateway.sessions import Sessions
from nanobot_gateway.specs import ChannelSpec
from nanobot_gateway.store import Store
from nanobot_gateway.wire import Codec

DRAIN_S = 15.0
_SILENT = Manners(spec=ChannelSpec(name="none", factory=""), channel=lambda: None, streaming=False)
"""For turns whose chat no channel serves."""


class Gateway:
    """Everything that runs; made by `open_gateway`.

    Args:
        opened: The instance.
        store: What must not be lost.
        clock: The time.
        restart: Called when an owner asks for a restart.
    """

    def __init__(
        self, opened: Opened, store: Store, clock: Clock, restart: Callable[[], None]
    ) -> None:
        self.parts: Parts = opened.parts
        self.store = store
        self.notices = opened.notices
        self.pairing = PairingStore(self.parts.instance.data / "pairing.json", clock)
        self._clock = clock
        self._started = clock.now()
        self._codec = Codec(self.parts.instance.data / "media" / "blobs")
        self.outbox = Outbox(store, clock)
        crew = Crew(engine=opened.engine, store=store, outbox=self.outbox, clock=clock)
        self.sessions = Sessions(crew)
        desk = Desk(
            gate=Gate(self.pairing),
            offer_pairing=lambda channel, sender: offer(self.pairing, channel, sender),
            orders=orders(self.sessions, self.pairing, restart),
            commands=self._commands,
            unified=self.parts.config.core.agents.defaults.unified_session,
        )
        self.intake = Intake(desk, self.sessions, self._codec)
        self.channels = Channels(
            self.parts,
            self.outbox,
            clock,
            lambda: list(self._commands().values()),
            self._changed,
        )
        self.channels.accept = self.intake.accept
        facilities = Facilities(
            submit=self._submit, send=self._send, store=store, health=self.health
        )
        self.services = Services(self.parts, facilities, clock, self._changed)
        self._writing: asyncio.TimerHandle | None = None

    def _commands(self) -> Mapping[str, CommandSpec]:
        found = (plugin.spec for plugin in self.parts.registry.usable("commands"))
        return {spec.name: spec for spec in found if isinstance(spec, CommandSpec)}

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what an earlier process left, then connect."""
        self.channels.plan()
        await self.outbox.recover()
        for row in await self.store.unfinished():
            inbound, answers = self._codec.read_inbound(row.payload)
            manners = self.channels.manners(lane_of(inbound.target)) or _SILENT
            place = Place(target=inbound.target, session_key=row.session_key, answers=answers)
            self.sessions.put(Work(inbound=inbound, place=place, manners=manners))
        self.channels.start()
        self.services.start()
        self._write_status()

    async def settled(self) -> None:
        """Wait until every part is up or has failed once."""
        await asyncio.gather(self.channels.settled(), self.services.settled())

    async def drain(self, seconds: float = DRAIN_S) -> None:
        """Take nothing more in, let running turns end and what they say go out, then disconnect.

        What does not end in time is stored, and goes on when the gateway is back.
        """
        self.intake.closed = True
        await self.services.stop()
        try:
            async with asyncio.timeout(seconds):
                await self.sessions.drained()
                await self.outbox.drained()
        except TimeoutError:
            log.get().warning("drain_timed_out", active=self.sessions.active)
        await self.sessions.abandon()
        await self.outbox.aclose()
        await self.channels.stop()

    async def reload(self, config: Config) -> list[str]:
        """Take a changed configuration for what is connected; returns what was touched.

        Raises:
            ConfigError: It can not be used; everything stays as it is.
        """
        parts = replace(
            self.parts, config=config, sections=Sections(config, self.parts.host, os.environ)
        )
        touched = await self.channels.reload(parts)
        self.parts = parts
        self._changed()
        return touched

    # --- for services ---------------------------------------------------------------------------

    async def _submit(self, inbound: Inbound) -> Accepted:
        manners = self.channels.manners(lane_of(inbound.target)) or _SILENT
        return await self.intake.submit(inbound, manners)

    async def _send(self, message: Outgoing) -> None:
        await self.store.finish([], [row_of(message)])
        self.outbox.put(message)

    # --- how it fares ---------------------------------------------------------------------------

    def health(self) -> Health:
        """Return how it fares."""
        problems = [*self.channels.troubles(), *self.services.troubles()]
        counters: dict[str, float] = {
            **{f"messages_{name}_total": n for name, n in self.intake.counts.items()},
            **{f"deliveries_{name}_total": n for name, n in self.outbox.counts.items()},
            "turns_total": self.sessions.turns,
            "sessions_active": self.sessions.active,
            "messages_waiting": self.sessions.waiting,
            "deliveries_waiting": self.outbox.waiting,
            "uptime_seconds": (self._clock.now() - self._started).total_seconds(),
        }
        return Health(
            ok=not problems,
            parts={**self.channels.states(), **self.services.states()},
            problems=problems,
            counters=counters,
        )

    def _changed(self) -> None:
        """Write the state for other processes, at most once in a moment."""
        if self._writing is None:
            loop = asyncio.get_running_loop()
            self._writing = loop.call_later(0.2, self._write_status)

    def _write_status(self) -> None:
        self._writing = None
        health = self.health()
        status: dict[str, Any] = {
            "pid": os.getpid(),
            "started_at": self._started.isoformat(),
            "parts": dict(health.parts),
            "problems": list(health.problems),
        }
        try:
            write_private(status_path(self.parts.instance.data), json.dumps(status).encode())
        except OSError as error:
            log.get().warning("status_not_written", reason=str(error))


def status_path(data: Path) -> Path:
    """Return the file in which a gateway says how it fares, for the command line."""
    return data / "gateway-status.json"


@asynccontextmanager
async def open_gateway(
    config: Config,
    *,
    workspace: Path | None = None,
    clock: Clock | None = None,
    restart: Callable[[], None] = lambda: None,
) -> AsyncIterator[Gateway]:
    """Open a gateway and start it; at the end it is drained and closed.

    Raises:
        AlreadyRunning: Another gateway serves the instance or its workspace.
        ConfigError: The configuration can not be used.
        StorageError: What must not be lost can not be stored.
    """
    clock = clock or SystemClock()
    with held(config.instance(workspace)):
        opening = open_instance(config, workspace=workspace, clock=clock, kinds=("kinds",))
        async with opening as opened:
            store = await _open_store(opened.parts)
            trouble = await store.healthy()
            if trouble:
                raise StorageError(trouble)
            gateway = Gateway(opened, store, clock, restart)
            await gateway.start()
            try:
                yield gateway
            finally:
                await gateway.drain()


async def _open_store(parts: Parts) -> Store:
    parts.registry.forget("stores")
    parts.host.load("stores")
    found = parts.registry.usable("stores")
    if len(found) != 1:
        names = ", ".join(plugin.id for plugin in found)
        raise ConfigError(
            f"a gateway needs exactly one store, found {names or 'none'}",
            remedy="Switch the others off with: nanobot plugins disable NAME"
            if found
            else install_hint("stores", "sqlite"),
        )
    store: Store = await parts.registry.open("stores", found[0].spec.name)
    return store
