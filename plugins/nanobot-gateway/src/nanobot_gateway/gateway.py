"""A gateway: an instance's engine, store, channels and services, and their life together."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from nanobot import log
from nanobot.admin import Config, Defaults, Parts, Sections, install_hint
from nanobot.context import Clock, SystemClock
from nanobot.errors import ConfigError, StorageError, describe
from nanobot.events import TurnFinished
from nanobot.messages import Inbound
from nanobot.paths import write_private
from nanobot.specs import CommandSpec

from nanobot_gateway.access import Gate
from nanobot_gateway.accounts import defaults_of
from nanobot_gateway.actor import Crew, Work
from nanobot_gateway.bindings import BINDINGS, Agents, agents_of
from nanobot_gateway.channel import Accepted, Outgoing
from nanobot_gateway.channels import Channels
from nanobot_gateway.commands import offer, orders
from nanobot_gateway.delivery import Manners, Place
from nanobot_gateway.desk import GatewayDesk, Office, result_of
from nanobot_gateway.enriching import Enriching
from nanobot_gateway.intake import Intake, Reception
from nanobot_gateway.live import Live
from nanobot_gateway.locking import held
from nanobot_gateway.outbox import Outbox, lane_of, row_of
from nanobot_gateway.pairing import PairingStore
from nanobot_gateway.questions import Questions
from nanobot_gateway.service import Health
from nanobot_gateway.services import Facilities, Services
from nanobot_gateway.sessions import Sessions
from nanobot_gateway.specs import ChannelSpec
from nanobot_gateway.storage import StorageWatch
from nanobot_gateway.store import Store
from nanobot_gateway.wire import UNREADABLE, Codec

DRAIN_S = 15.0
_SILENT = Manners(spec=ChannelSpec(name="none", factory=""), channel=lambda: None, streaming=False)
"""For turns whose chat no channel serves."""


class Gateway:
    """Everything that runs; made by `open_gateway`.

    Args:
        live: The instance, which may be exchanged while turns run.
        store: What must not be lost.
        clock: The time.
        restart: Called when an owner asks for a restart.
    """

    def __init__(self, live: Live, store: Store, clock: Clock, restart: Callable[[], None]) -> None:
        self._live = live
        self.parts: Parts = live.opened.parts
        self.store = store
        self.notices = live.opened.notices
        self.pairing = PairingStore(self.parts.instance.data / "pairing.json", clock)
        self._clock = clock
        self._started = clock.now()
        self._codec = Codec(self.parts.instance.media / "blobs")
        self.outbox = Outbox(store, clock)
        self._storage = StorageWatch(store, clock, lambda: self._changed())
        self._enriching = Enriching(lambda: self.parts)
        crew = Crew(
            engine=live,
            store=store,
            outbox=self.outbox,
            clock=clock,
            storage=self._storage,
            enriching=self._enriching,
            report=self._report,
        )
        self.sessions = Sessions(crew, lambda: self._defaults.max_concurrent_subagents)
        questions = Questions(store)
        reception = Reception(
            gate=Gate(self.pairing),
            offer_pairing=lambda channel, sender: offer(self.pairing, channel, sender),
            orders=orders(self.sessions, self.pairing, restart),
            commands=self._commands,
            agents=_agents(self.parts.config),
            questions=questions,
            unified=self._defaults.unified_session,
        )
        self.intake = Intake(reception, self.sessions, self._codec)
        self.office = Office(
            store=store,
            outbox=self.outbox,
            intake=self.intake,
            sessions=self.sessions,
            questions=questions,
            manners=lambda name: self.channels.manners(name),
            silent=_SILENT,
        )
        self.channels = Channels(
            self.parts,
            self.outbox,
            clock,
            lambda: list(self._commands().values()),
            self._changed,
        )
        self.channels.accept = self.intake.accept
        self.channels.admits = self.intake.admits
        facilities = Facilities(
            submit=self._submit, send=self._send, store=store, health=self.health
        )
        self.services = Services(self.parts, facilities, clock, self._changed)
        self._writing: asyncio.TimerHandle | None = None

    @property
    def _defaults(self) -> Defaults:
        return self.parts.config.core.agents.defaults

    def _commands(self) -> Mapping[str, CommandSpec]:
        found = (plugin.spec for plugin in self.parts.registry.usable("commands"))
        return {spec.name: spec for spec in found if isinstance(spec, CommandSpec)}

    # --- life -----------------------------------------------------------------------------------

    async def start(self) -> None:
        """Take up what an earlier process left, then connect."""
        self.channels.plan()
        await self._enriching.open()
        await self.outbox.recover()
        await self.office.questions.load()
        for row in await self.store.unfinished():
            try:
                inbound, answers, profile = self._codec.read_inbound(row)
            except UNREADABLE as error:
                log.get(id=row.id).error("message_unreadable", reason=describe(error))
                continue
            if await self.intake.is_answer(inbound):
                continue
            manners = self._manners(inbound)
            place = Place(target=inbound.target, session_key=row.session_key, answers=answers)
            self.sessions.put(Work(inbound=inbound, place=place, manners=manners, profile=profile))
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
        await self._storage.aclose()
        await self.channels.stop()

    async def reload(self, config: Config) -> list[str]:
        """Take a changed configuration: what changed starts anew, and nothing else.

        Channels and services whose settings changed are connected again. Where anything else
        changed, a new instance takes over: turns that run go on with what they began with, and
        the next ones find the new models, tools and prompts.

        Returns:
            What was touched: names of channels, ids of services, ``engine``.

        Raises:
            NanobotError: It can not be used; everything stays as it is.
        """
        agents = _agents(config)
        defaults_of(config)
        new = await self._live.prepare(config) if _differ(self.parts.config, config) else None
        if new is None:
            sections = Sections(config, self.parts.host, os.environ)
            self.parts = replace(self.parts, config=config, sections=sections)
        else:
            self._live.take(new)
            self.parts, self.notices = new.opened.parts, new.opened.notices
            await self._enriching.open()
        unified = self._defaults.unified_session
        self.intake.reception = replace(self.intake.reception, agents=agents, unified=unified)
        touched = await self.channels.reload(self.parts)
        touched += await self.services.reload(self.parts)
        self._changed()
        return [*touched, "engine"] if new else touched

    # --- for services ---------------------------------------------------------------------------

    async def _submit(self, inbound: Inbound) -> Accepted:
        return await self.intake.submit(inbound, self._manners(inbound))

    async def _report(self, task: Inbound, end: TurnFinished) -> None:
        """Hand what a subagent came to to the session that sent it."""
        await self._submit(result_of(task, end))

    def _manners(self, inbound: Inbound) -> Manners:
        """Return how the turn of a message is shown: a subagent's not at all."""
        found = None if inbound.parent else self.channels.manners(lane_of(inbound.target))
        return found or _SILENT

    async def _send(self, message: Outgoing) -> None:
        await self.store.finish([], [row_of(message)])
        self.outbox.put(message)

    # --- how it fares ---------------------------------------------------------------------------

    def health(self) -> Health:
        """Return how it fares."""
        problems = [*self.channels.troubles(), *self.services.troubles()]
        if self._storage.trouble:
            problems.append(f"store: {self._storage.trouble}")
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
        running: list[Gateway] = []
        live = Live(workspace, clock, partial(GatewayDesk, office=lambda: running[0].office))
        await live.open(config)
        try:
            async with _store(live.opened.parts) as store:
                trouble = await store.healthy()
                if trouble:
                    raise StorageError(trouble)
                gateway = Gateway(live, store, clock, restart)
                running.append(gateway)
                await gateway.start()
                try:
                    yield gateway
                finally:
                    await gateway.drain()
        finally:
            await live.aclose()


def _agents(config: Config) -> Agents:
    return agents_of(config.effective, config.environ, config.document.path)


def _differ(old: Config, new: Config) -> bool:
    """Tell whether anything changed that an instance is made of."""

    def instance(config: Config) -> dict[str, Any]:
        apart = ("channels", *BINDINGS)
        return {key: value for key, value in config.effective.items() if key not in apart}

    return instance(old) != instance(new)


@asynccontextmanager
async def _store(parts: Parts) -> AsyncIterator[Store]:
    """Open the store: it stays, whatever instance is current."""
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
    section = parts.sections(found[0].spec, "stores")
    async with parts.registry.enter(found[0], section, found[0].id, lambda given: given) as store:
        yield store
