"""Runs a gateway as a process: signals, an edited configuration, and how it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from nanobot import log
from nanobot.admin import load
from nanobot.errors import ConfigError, NanobotError

from nanobot_gateway.gateway import Gateway, open_gateway

LOOK_S = 2.0
"""Seconds between two looks at the configuration file."""


@dataclass
class Wishes:
    """What the process was asked to do."""

    stop: asyncio.Event = field(default_factory=asyncio.Event)
    reload: asyncio.Event = field(default_factory=asyncio.Event)
    restart: bool = False


async def run(config_path: Path, workspace: Path | None, tell: Callable[[str], None]) -> bool:
    """Run a gateway until it is asked to stop.

    Args:
        tell: Shows a line to whoever started it.

    Returns:
        True when it is to be started again.

    Raises:
        NanobotError: It could not be started.
    """
    wishes = Wishes()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _asked_to_stop, wishes, tell)
    loop.add_signal_handler(signal.SIGHUP, wishes.reload.set)

    def restart() -> None:
        wishes.restart = True
        loop.call_later(0.1, wishes.stop.set)  # the reply goes out with the rest

    opening = open_gateway(load(config_path), workspace=workspace, restart=restart)
    async with opening as gateway:
        for notice in gateway.notices:
            tell(notice)
        tell(f"nanobot gateway runs (pid {os.getpid()}, {config_path})")
        watching = asyncio.create_task(_watch(config_path, gateway, wishes))
        reporting = asyncio.create_task(_report(gateway, tell))
        await wishes.stop.wait()
        for task in (watching, reporting):
            task.cancel()
    return wishes.restart


def _asked_to_stop(wishes: Wishes, tell: Callable[[str], None]) -> None:
    if wishes.stop.is_set():
        tell("stopped at once; what was running goes on at the next start")
        sys.stderr.flush()
        os._exit(130)
    tell("stopping: running turns may end, ask again to stop at once")
    wishes.stop.set()


async def _report(gateway: Gateway, tell: Callable[[str], None]) -> None:
    """Say once how the parts came up."""
    await gateway.settled()
    for id, state in sorted(gateway.health().parts.items()):
        tell(f"{id}: {state}")


async def _watch(path: Path, gateway: Gateway, wishes: Wishes) -> None:
    """Apply the configuration when it is edited, or when SIGHUP asks for it."""
    seen = _stamp(path)
    while True:
        try:
            async with asyncio.timeout(LOOK_S):
                await wishes.reload.wait()
        except TimeoutError:
            if _stamp(path) == seen:
                continue
        wishes.reload.clear()
        seen = _stamp(path)
        try:
            touched = await gateway.reload(load(path))
        except (ConfigError, NanobotError) as error:
            log.get().error("config_refused", reason=str(error), kept="the old configuration")
        else:
            log.get().warning("config_applied", touched=touched)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0)
    return found.st_ino, found.st_mtime_ns, found.st_size
