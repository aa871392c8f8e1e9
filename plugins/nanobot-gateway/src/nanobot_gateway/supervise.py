"""Keeps channels and services running: again after a failure, not at all after a wrong setting."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import StrEnum

from nanobot import log
from nanobot.context import Clock
from nanobot.errors import AuthError, ConfigError, PluginError, describe

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 60.0
STEADY_S = 60.0  # whoever ran so long starts over with short pauses
FAILED_AFTER = 5


class Condition(StrEnum):
    """How a supervised task fares."""

    STARTING = "starting"
    RUNNING = "running"
    RETRYING = "retrying"
    FAILED = "failed"
    DONE = "done"
    STOPPED = "stopped"


class Supervised:
    """A task that is kept running.

    Args:
        id: What it is called, such as ``channels.telegram``.
        work: Does the work; gets a function to call when it is up.
        clock: The time.
        changed: Told whenever the condition changes.
    """

    def __init__(
        self,
        id: str,
        work: Callable[[Callable[[], None]], Awaitable[None]],
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.id = id
        self.condition = Condition.STARTING
        self.reason = ""
        self._work = work
        self._clock = clock
        self._changed = changed
        self._settled = asyncio.Event()
        self._task = asyncio.create_task(self._keep(), name=id)

    @property
    def state(self) -> str:
        """Return the condition with its reason, for people."""
        return f"{self.condition}: {self.reason}" if self.reason else str(self.condition)

    @property
    def ok(self) -> bool:
        """Tell whether it fares as wanted, or is still likely to."""
        return self.condition in (Condition.STARTING, Condition.RUNNING, Condition.DONE)

    async def settled(self) -> None:
        """Wait until it is up, or has failed for the first time."""
        await self._settled.wait()

    async def stop(self) -> None:
        """Cancel it and wait until it is closed."""
        self._task.cancel()
        await asyncio.wait([self._task])
        self._set(Condition.STOPPED)

    def _set(self, condition: Condition, reason: str = "") -> None:
        self.condition, self.reason = condition, reason
        self._settled.set()
        self._changed()

    async def _keep(self) -> None:
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                await self._work(lambda: self._set(Condition.RUNNING))
            except (ConfigError, AuthError, PluginError) as error:
                self._set(Condition.FAILED, log.redact(str(error)))
                log.get(part=self.id).error("failed", reason=self.reason)
                return
            except (Exception, SystemExit) as error:
                reason = log.redact(describe(error))
            else:
                self._set(Condition.DONE)
                return
            if self._clock.monotonic() - began > STEADY_S:
                failures = 0
            failures += 1
            condition = Condition.FAILED if failures >= FAILED_AFTER else Condition.RETRYING
            self._set(condition, reason)
            log.get(part=self.id).warning("lost", reason=reason, failures=failures)
            pause = min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S)
            await self._clock.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - jitter
