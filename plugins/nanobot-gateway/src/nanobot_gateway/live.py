"""The engine that runs turns now, which a changed configuration replaces while others run."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanobot import log
from nanobot.admin import Config, HostDesk, Opened, open_instance
from nanobot.context import Clock
from nanobot.errors import ConfigError, describe
from nanobot.events import TurnEvent
from nanobot.messages import Inbound


@dataclass(eq=False)
class _Instance:
    """An open instance, and how many turns it runs."""

    opened: Opened
    stack: AsyncExitStack
    turns: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)


class Live:
    """Runs each turn on the instance that is current when it begins (a `nanobot.engine.Engine`).

    Args:
        workspace: Workspace in place of the configured one.
        clock: The time.
        desk: Makes the desk of an instance.
    """

    def __init__(
        self, workspace: Path | None, clock: Clock, desk: Callable[[Config, Clock], HostDesk]
    ) -> None:
        self._workspace = workspace
        self._clock = clock
        self._desk = desk
        self._current: _Instance
        self._leaving: set[asyncio.Task[None]] = set()

    @property
    def opened(self) -> Opened:
        """Return the current instance."""
        return self._current.opened

    async def open(self, config: Config) -> None:
        """Open the first instance.

        Raises:
            NanobotError: The configuration can not be used.
        """
        self._current = await self._open(config)

    async def prepare(self, config: Config) -> _Instance:
        """Open an instance that may take over; `take` or `drop` it.

        Raises:
            NanobotError: The configuration can not be used.
        """
        before = self.opened.parts.instance
        if config.instance(self._workspace) != before:
            raise ConfigError(
                f"the workspace {before.workspace} can not change while the gateway runs",
                remedy="Restart it: nanobot gateway restart",
            )
        return await self._open(config)

    def take(self, new: _Instance) -> None:
        """Run turns on a new instance from now on; the old one closes once its turns are over."""
        old, self._current = self._current, new
        task = asyncio.create_task(self._leave(old), name="old instance")
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    @staticmethod
    async def drop(new: _Instance) -> None:
        """Close an instance that is not to take over."""
        await new.stack.aclose()

    async def aclose(self) -> None:
        """Close everything; nothing runs any more."""
        for task in list(self._leaving):
            await asyncio.wait([task])
        await self._current.stack.aclose()

    async def handle(self, inbound: Inbound, **options: Any) -> AsyncGenerator[TurnEvent, None]:
        """Answer a message; see `nanobot.engine.Engine.handle`."""
        instance = self._current
        instance.turns += 1
        instance.idle.clear()
        try:
            async with aclosing(instance.opened.engine.handle(inbound, **options)) as events:
                async for event in events:
                    yield event
        finally:
            instance.turns -= 1
            if not instance.turns:
                instance.idle.set()

    async def _open(self, config: Config) -> _Instance:
        stack = AsyncExitStack()
        opening = open_instance(
            config,
            workspace=self._workspace,
            clock=self._clock,
            kinds=("kinds",),
            desk=self._desk,
        )
        return _Instance(opened=await stack.enter_async_context(opening), stack=stack)

    async def _leave(self, old: _Instance) -> None:
        if old.turns:
            await old.idle.wait()
        try:
            await old.stack.aclose()
        except Exception as error:
            log.get().warning("old_instance_not_closed", reason=describe(error))
