"""Opens an instance of nanobot."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from nanobot import __version__, _names, log
from nanobot._boot.desk import HostDesk
from nanobot._boot.sections import Sections
from nanobot._config import Config
from nanobot._plugins.catalog import scan
from nanobot._plugins.host import Host
from nanobot._plugins.registry import Registry
from nanobot._plugins.status import State, Status, Verdicts, judge, policy
from nanobot._plugins.view import View
from nanobot.context import Clock, Network, PluginContext, SystemClock
from nanobot.desk import Desk
from nanobot.engine import Engine, EngineContext, EngineSettings, Limits, ModelChoice
from nanobot.errors import ConfigError
from nanobot.findings import AdviceRequest, Finding
from nanobot.messages import Workspace
from nanobot.paths import Instance, private_dir
from nanobot.routing import Router

TURN_KINDS = (
    *("engines", "routers", "routes", "tools", "commands", "prompts", "middleware", "observers"),
    "advice",
)
_LOADED = (*TURN_KINDS, "providers")
_PARKED = (State.INCOMPATIBLE, State.CONFLICT, State.MISCONFIGURED, State.BROKEN, State.FAILED)


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """The plugins of an instance, registered, with none opened."""

    config: Config
    host: Host
    registry: Registry
    sections: Sections
    instance: Instance


@dataclass(frozen=True, kw_only=True, slots=True)
class RouterContext(PluginContext):
    """What a router's factory receives.

    Args:
        parts: The configuration and the plugins of the instance.
    """

    parts: Parts


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """An instance that is ready to answer.

    Args:
        notices: What the user should know first, a line each.
    """

    engine: Engine
    parts: Parts
    notices: tuple[str, ...]


def verdicts_of(instance: Instance) -> Verdicts:
    """Return what earlier runs found out about the plugins of an instance."""
    return Verdicts(instance.data / "plugins.json")


def assemble(
    config: Config,
    instance: Instance,
    environ: Mapping[str, str],
    clock: Clock | None = None,
    kinds: Sequence[str] = (),
    desk: Desk | None = None,
) -> Parts:
    """Judge, load and register the plugins that a turn may use; providers are loaded on demand.

    Args:
        kinds: More kinds to load; ``kinds`` are modules that only open extension points.
        desk: What the host does for tools.
    """
    host = Host(judge(scan(), policy(config.effective, environ)))
    for kind in (*TURN_KINDS, *kinds):
        host.load(kind)
    host.open_kinds()
    sections = Sections(config, host, environ)
    network = Network(allowed=tuple(str(net) for net in config.core.tools.ssrf_whitelist))
    registry = Registry(
        host, sections, instance, clock or SystemClock(), network=network, desk=desk
    )
    return Parts(config=config, host=host, registry=registry, sections=sections, instance=instance)


@asynccontextmanager
async def open_instance(
    config: Config,
    *,
    workspace: Path | None = None,
    model: str = "",
    preset: str = "",
    environ: Mapping[str, str] = os.environ,
    clock: Clock | None = None,
    kinds: Sequence[str] = (),
    desk: Callable[[Config, Clock], HostDesk] = HostDesk,
) -> AsyncIterator[Opened]:
    """Open an instance, and close all that was opened at the end.

    Args:
        config: The configuration, loaded.
        workspace: Workspace in place of the configured one.
        model: Model in place of the configured one.
        preset: Model preset in place of the configured one.
        kinds: More kinds to load, as for `assemble`.
        desk: Makes what the host does for tools.

    Raises:
        ConfigError: The configuration can not be used, or no model can be found.
        PluginMissing: It names a provider that is not installed.
    """
    instance = config.instance(workspace)
    _make_workspace(instance)
    clock = clock or SystemClock()
    given = desk(config, clock)
    parts = assemble(config, instance, environ, clock, kinds, given)
    try:
        router = await open_router(parts)
        presets = await router.presets(model=model, preset=preset)
        settings = _settings(config, instance, presets)
        view = View(parts.registry)
        engine: Engine = await _open_the(
            parts, "engines", EngineContext, plugins=view, settings=settings
        )
        given.engine = engine
        yield Opened(engine=engine, parts=parts, notices=_notices(parts, router.notices))
    finally:
        await parts.registry.aclose()
        _keep_verdicts(instance, parts.host.statuses())


async def open_router(parts: Parts) -> Router:
    """Open the router of an instance; closed with the registry."""
    router: Router = await _open_the(parts, "routers", RouterContext, parts=parts)
    return router


async def _open_the(parts: Parts, kind: str, context: type[PluginContext], /, **more: Any) -> Any:
    """Open the one plugin of a kind; none or several is an error that says what to do."""
    found = parts.registry.usable(kind)
    if len(found) != 1:
        names = ", ".join(plugin.id for plugin in found)
        raise ConfigError(
            f"an instance needs exactly one plugin of kind {kind}, found {names or 'none'}",
            remedy="Switch the others off with: nanobot plugins disable NAME"
            if found
            else _names.install_hint(kind, "standard"),
        )

    def extend(base: PluginContext) -> PluginContext:
        return context(**{f.name: getattr(base, f.name) for f in fields(base)}, **more)

    section = parts.sections(found[0].spec, kind)
    return await parts.registry.open_plugin(found[0], section, extend=extend)


def _make_workspace(instance: Instance) -> None:
    try:
        private_dir(instance.workspace)
        private_dir(instance.sessions)
    except OSError as error:
        raise ConfigError(
            f"the workspace {instance.workspace} can not be used: {error.strerror or error}",
            remedy="Name another one with -w FOLDER or agents.defaults.workspace.",
        ) from None


def _zone(name: str, mode: str) -> tzinfo:
    if mode == "auto":
        return datetime.now().astimezone().tzinfo or UTC
    return UTC if name == "UTC" else ZoneInfo(name)  # UTC needs no time zone database


def _settings(
    config: Config, instance: Instance, presets: Mapping[str, tuple[ModelChoice, ...]]
) -> EngineSettings:
    defaults = config.core.agents.defaults
    return EngineSettings(
        presets=presets,
        workspace=Workspace(
            root=instance.workspace,
            restricted=config.core.tools.restrict_to_workspace,
            denied=(instance.data, instance.sessions),
            readable=(instance.media,),
        ),
        sessions=instance.sessions,
        spill=instance.spill,
        timezone=_zone(defaults.timezone, defaults.timezone_mode),
        limits=Limits(
            max_iterations=defaults.max_tool_iterations,
            turn_timeout_s=defaults.turn_timeout_s,
            max_turn_tokens=defaults.max_turn_tokens,
            max_tool_result_chars=defaults.max_tool_result_chars,
            persistent=defaults.provider_retry_mode == "persistent",
        ),
        facts={
            "version": __version__,
            "config": str(instance.config),
            "workspace": str(instance.workspace),
        },
    )


def _notices(parts: Parts, more: Sequence[str]) -> tuple[str, ...]:
    for kind in _LOADED:
        parts.registry.usable(kind)  # parks those whose section is not valid
    told = [*parts.config.findings, *parts.host.all("nanobot_advice", request=_request(parts))]
    findings = (item for item in told if isinstance(item, Finding) and item.severity != "info")
    lines = [str(finding) for finding in findings]
    lines += [
        f"plugin {status.entry.id} is {status.state}: {status.reason}"
        for status in parts.host.statuses()
        if status.state in _PARKED
    ]
    return tuple(dict.fromkeys([*lines, *more]))


def _request(parts: Parts) -> AdviceRequest:
    """Return what plugins that give advice are told of the instance."""
    installed: dict[str, set[str]] = {}
    for status in parts.host.statuses():
        installed.setdefault(status.entry.kind, set()).add(status.entry.name)
    return AdviceRequest(
        document=parts.config.effective,
        installed=installed,
        specs={k: [p.spec for p in parts.registry.plugins(k).values()] for k in _LOADED},
    )


def _keep_verdicts(instance: Instance, statuses: tuple[Status, ...]) -> None:
    verdicts = verdicts_of(instance)
    for status in statuses:
        if status.state in (State.LOADED, State.BROKEN, State.MISCONFIGURED, State.FAILED):
            verdicts.put(status)
            if status.state is not State.LOADED:
                log.get(plugin=status.entry.id).warning("plugin_parked", reason=status.reason)
    verdicts.save()
