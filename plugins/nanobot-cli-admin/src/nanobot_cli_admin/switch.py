"""`nanobot plugins enable` and `disable`: edit the configuration, and keep a plugin's settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from nanobot.admin import Config, State, Status, load, section_path
from nanobot.errors import ConfigError
from nanobot_settings.spelling import camel, snake

from nanobot_cli_admin.edit import put
from nanobot_cli_admin.loading import load_plugins


def disable(statuses: Iterable[Status], path: Path) -> None:
    """Add plugins to ``plugins.disabled``."""
    config = load(path)
    listed = _listed(config, "disabled")
    added = [status.entry.id for status in statuses if not _among(status, listed)]
    if added:
        put(config, "plugins.disabled", json.dumps([*listed, *sorted(set(added))]), specs={})


def enable(statuses: Iterable[Status], path: Path) -> None:
    """Undo whatever in the configuration keeps plugins from being used."""
    for status in statuses:
        config = load(path)
        disabled = _listed(config, "disabled")
        kept = [name for name in disabled if not _is(status, name)]
        if kept != disabled:
            put(config, "plugins.disabled", json.dumps(kept), specs={})
            config = load(path)
        if config.core.plugins.mode == "allowlist":
            allowed = _listed(config, "allow")
            if not _among(status, allowed):
                put(config, "plugins.allow", json.dumps([*allowed, status.entry.id]), specs={})
                config = load(path)
        section = _section(status)
        if config.raw_section(section).get("enabled", True) is False:
            put(config, f"{section}.enabled", "true", specs={})
        elif config.raw_section(section).get("enable", True) is False:
            put(config, f"{section}.enable", "true", specs={})


def refuse_commands(statuses: Iterable[Status]) -> None:
    """Raise ConfigError if one is a command of the command line, which has no switch."""
    for status in statuses:
        if status.entry.kind == "cli":
            raise ConfigError(
                f"{status.entry.id} is a command, which costs nothing until it is run",
                remedy=f"pip uninstall {status.entry.distribution}   removes it",
            )


def _listed(config: Config, name: str) -> list[str]:
    found = config.document.data.get("plugins", {}).get(name, [])
    return [str(item) for item in found]


def _is(status: Status, written: str) -> bool:
    kind, _, name = written.strip().partition(".")
    return f"{kind}.{snake(name)}" == status.entry.id


def _among(status: Status, written: Iterable[str]) -> bool:
    return any(_is(status, item) for item in written)


def _section(status: Status) -> str:
    """Return where a plugin's settings stand; its own word for it, if it can be had."""
    entry = status.entry
    loaded = load_plugins([Status(entry=entry, state=State.AVAILABLE)])
    for plugin in loaded.plugins.get(entry.kind, ()):
        if plugin.entry == entry:
            return ".".join(section_path(plugin.spec, plugin.kind))
    return f"{entry.kind}.{camel(entry.name)}"
