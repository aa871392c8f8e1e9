"""The least host: loads a plugin's specs from its entry point and opens them, as nanobot does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, TypeVar

from nanobot import log
from nanobot.context import Network, PluginContext
from nanobot.desk import Desk, NoDesk
from nanobot.messages import Origin, Principal, Role, Scope, Target, Turn, Workspace
from nanobot.specs import Spec

T = TypeVar("T")


def run(coroutine: Coroutine[Any, Any, T], *, seconds: float = 30) -> T:
    """Run a coroutine to its end, failing the test if it takes longer."""

    async def bounded() -> T:
        async with asyncio.timeout(seconds):
            return await coroutine

    return asyncio.run(bounded())


def find_entry_point(plugin: str) -> EntryPoint:
    """Return the entry point of a plugin id such as ``tools.dice``."""
    kind, _, name = plugin.partition(".")
    found = [ep for ep in entry_points(group=f"nanobot.v1.{kind}") if ep.name == name]
    if not found:
        raise LookupError(
            f"no installed distribution has an entry point {name!r} in group 'nanobot.v1.{kind}'; "
            "install your plugin into this environment (pip install -e .)"
        )
    return found[0]


def load_spec(plugin: str) -> Any:
    """Import a plugin's module and return the spec that its hook gives for this id."""
    kind, _, name = plugin.partition(".")
    module = find_entry_point(plugin).load()
    specs = {spec.name: spec for spec in getattr(module, f"nanobot_{kind}")()}
    if name not in specs:
        raise LookupError(
            f"hook nanobot_{kind} of {module.__name__} returns no spec named {name!r}"
        )
    return specs[name]


def make_context(
    spec: Spec,
    folder: Path,
    *,
    plugin: str = "",
    allowed: tuple[str, ...] = (),
    desk: Desk | None = None,
) -> PluginContext:
    """Return a context whose data folder lies below the given folder.

    Args:
        allowed: Private networks that the plugin may reach, as ``tools.ssrfWhitelist`` has them.
        desk: What the host does for tools; None for a host that does nothing.
    """
    name = plugin or spec.name
    return PluginContext(
        id=name,
        log=log.get(plugin=name),
        data=folder / "data" / name,
        options=spec.options,
        network=Network(allowed=allowed),
        desk=desk or NoDesk(),
    )


def make_turn(
    folder: Path,
    *,
    query: str = "",
    restricted: bool = True,
    user: str = "alice",
    role: Role = Role.OWNER,
    origin: Origin = Origin.USER,
) -> Turn:
    """Return the facts of a turn whose workspace is the given folder."""
    principal = Principal(channel="test", user=user, role=role)
    return Turn(
        id=f"turn-{user}",
        scope=Scope(principal=principal, session_key=f"test:{user}"),
        target=Target(channel="test", chat=user),
        workspace=Workspace(root=folder, restricted=restricted),
        now=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        origin=origin,
        query=query,
    )


@asynccontextmanager
async def open_spec(
    spec: Spec, config: Mapping[str, object], folder: Path, *, plugin: str = ""
) -> AsyncIterator[Any]:
    """Validate a configuration section, import the spec's factory and open its object."""
    module, _, function = spec.factory.partition(":")
    factory = getattr(import_module(module), function)
    section = spec.config.model_validate(dict(config))
    async with factory(section, make_context(spec, folder, plugin=plugin)) as opened:
        yield opened
