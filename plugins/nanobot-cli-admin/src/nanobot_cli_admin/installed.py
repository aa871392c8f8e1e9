"""The installed plugins and their states, from metadata and the raw configuration alone.

No plugin is imported here, nor any library that `nanobot plugins list` could do without.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nanobot import admin
from nanobot.admin import Catalog, State, Status, Verdicts, incompatibility, judge, policy, scan
from nanobot.errors import ConfigError, PluginMissing
from nanobot_documents import strict_json
from nanobot_settings.spelling import snake

PARKED = (State.INCOMPATIBLE, State.CONFLICT, State.MISCONFIGURED, State.BROKEN, State.FAILED)
"""States of plugins that the user may want and does not get."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inventory:
    """What is installed.

    Args:
        statuses: All plugins and CLI commands of plugins, in the order of their ids.
        document: What the configuration file holds, empty when it can not be read.
        problem: Why it can not be read, empty when it can.
    """

    statuses: tuple[Status, ...]
    document: Mapping[str, Any]
    problem: str = ""


def inventory(config: Path, environ: Mapping[str, str]) -> Inventory:
    """Return what is installed, with what earlier runs found out about it."""
    catalog = scan()
    document, problem = _document(config, environ)
    kept = verdicts_file(config)
    judged = judge(catalog, policy(document, environ), Verdicts(kept))
    if _is_newer(config, kept):
        # A section that was not valid may have been put right since.
        judged = tuple(
            replace(status, state=State.AVAILABLE, reason="")
            if status.state is State.MISCONFIGURED
            else status
            for status in judged
        )
    found = sorted((*judged, *_commands(catalog)), key=lambda status: status.entry.id)
    return Inventory(statuses=tuple(found), document=document, problem=problem)


def verdicts_file(config: Path) -> Path:
    """Return where the verdicts of earlier runs on an instance's plugins are kept."""
    return config.absolute().with_name("plugins.json")


def _document(path: Path, environ: Mapping[str, str]) -> tuple[Mapping[str, Any], str]:
    """Return what a configuration file holds, and why it can not be read."""
    if any(name.startswith("NANOBOT_") and "__" in name for name in environ):
        # The environment changes settings, and only the loader knows how; it costs 0.1 s.
        from nanobot.admin import build
        from nanobot.admin import read_document as read

        try:
            return build(read(path), environ=environ).effective, ""
        except ConfigError as error:
            return {}, error.message
    if not path.exists():
        return {}, ""
    if not path.is_file():
        return {}, f"{path}: is not a file"
    try:
        data = strict_json.loads(path.read_bytes())
    except OSError as error:
        return {}, f"{path}: can not be read: {error.strerror}"
    except strict_json.JsonError as error:
        return {}, f"{path}: {error}"
    return (data, "") if isinstance(data, dict) else ({}, f"{path}: should be a JSON object")


def _is_newer(path: Path, other: Path) -> bool:
    try:
        return path.stat().st_mtime_ns > other.stat().st_mtime_ns
    except OSError:
        return False


def _commands(catalog: Catalog) -> Iterable[Status]:
    for entry in catalog.commands.values():
        if entry.distribution != "nanobot-core":
            misfit = incompatibility(entry)
            state = State.INCOMPATIBLE if misfit else State.AVAILABLE
            yield Status(entry=entry, state=state, reason=misfit)


def find(name: str, statuses: Iterable[Status]) -> tuple[Status, ...]:
    """Return the plugins that a user means: by id, by name, or all of a distribution.

    Raises:
        PluginMissing: None is installed; the nearest one is named.
        ConfigError: Plugins of several kinds have that name.
    """
    statuses = tuple(statuses)
    wanted = snake(name)
    for key in (
        lambda status: status.entry.id,
        lambda status: snake(status.entry.distribution),
        lambda status: status.entry.name,
    ):
        found = tuple(status for status in statuses if key(status) == wanted)
        if found:
            break
    ids = sorted({status.entry.id for status in found})
    if len(ids) > 1 and len({status.entry.distribution for status in found}) > 1:
        raise ConfigError(
            f"{name!r} may mean {' or '.join(ids)}", remedy="Name one of them in full."
        )
    if not found:
        raise _missing(name, statuses)
    return found


def _missing(name: str, statuses: tuple[Status, ...]) -> PluginMissing:
    known: dict[str, str] = {}
    for status in statuses:
        entry = status.entry
        known |= {entry.name: entry.id, entry.distribution: entry.id, entry.id: entry.id}
    near = difflib.get_close_matches(snake(name), known, n=1)
    kind, _, rest = name.partition(".")
    hint = admin.install_hint(kind, rest) if rest and rest.isidentifier() else ""
    return PluginMissing(
        f"there is no plugin {name!r}" + (f"; did you mean {known[near[0]]}?" if near else ""),
        plugin=name,
        remedy=hint or "nanobot plugins list   shows what is installed",
    )


def remedy(status: Status) -> str:
    """Return what to do about a plugin that is not in use; the reason may say it already."""
    entry = status.entry
    if "pip install" in status.reason or "nanobot config set" in status.reason:
        return ""
    return {
        State.BROKEN: f"pip install --upgrade --force-reinstall {entry.distribution}, "
        f"or: nanobot plugins disable {entry.id}",
        State.DISABLED: f"nanobot plugins enable {entry.id}",
        State.MISCONFIGURED: f"nanobot plugins show {entry.id}   lists its settings",
        State.FAILED: f"nanobot plugins check {entry.id}   tests it again",
    }.get(status.state, "")
