"""What a factory receives beside its configuration: all that a plugin may reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic
from typing import Any, Protocol

from nanobot.desk import Desk, NoDesk
from nanobot.log import Logger
from nanobot.specs import Spec


class Clock(Protocol):
    """Time, so that tests can hold it still."""

    def now(self) -> datetime:
        """Return the current time, with time zone UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


@dataclass(frozen=True, kw_only=True, slots=True)
class Extension:
    """A plugin of an extension point that your plugin owns.

    Args:
        spec: What the plugin offers.
        open: Opens it; use as ``async with extension.open() as engine``.
    """

    spec: Spec
    open: Callable[[], AbstractAsyncContextManager[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What tools may reach beyond the public internet.

    Only data: plugins fetch through `nanobot_egress`, which enforces it.

    Args:
        allowed: Private networks that the owner opened, as CIDR (``tools.ssrfWhitelist``).
    """

    allowed: tuple[str, ...] = ()


PUBLIC_ONLY = Network()


@dataclass(frozen=True, kw_only=True, slots=True)
class PluginContext:
    """All that a plugin may reach.

    Args:
        id: The plugin's id, such as ``tools.files``.
        log: A logger bound to the id; secrets are masked on the way out.
        data: A folder of the plugin's own, mode 0700, created on first use by the plugin.
        options: The spec's ``options``.
        clock: The time.
        network: What may be reached on behalf of a model or a message.
        desk: What the host does for tools beyond their own work.
        extensions: For owners of an extension point: the plugins of the named kind, by name.
    """

    id: str
    log: Logger
    data: Path
    options: Mapping[str, object] = field(default_factory=dict)
    clock: Clock = field(default_factory=SystemClock)
    network: Network = PUBLIC_ONLY
    desk: Desk = field(default_factory=NoDesk)
    extensions: Callable[[str], Mapping[str, Extension]] = lambda kind: {}
