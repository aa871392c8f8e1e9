"""Tests one plugin in a process of its own, run by `nanobot plugins check`.

Usage: ``python -m nanobot_cli_admin.probe ID DISTRIBUTION CONFIG``. Writes ``[state, reason]`` as
JSON.
"""

from __future__ import annotations

import json
import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import click
from nanobot.admin import Config, Entry, Plugin, Policy, State, Status, judge, load, scan
from nanobot.errors import ConfigError
from nanobot.errors import describe as _in_words
from nanobot.log import redact
from nanobot_settings.keys import listed

from nanobot_cli_admin.loading import OWNERS, load_plugins, needs_owner


def main() -> None:
    """Print the verdict and end, whatever threads the plugin has left behind."""
    plugin, distribution, config = sys.argv[1:]
    answer = os.dup(1)
    os.dup2(2, 1)  # what the plugin prints must not be taken for the verdict
    state, reason = _probe(plugin, distribution, Path(config))
    os.write(answer, json.dumps([state, redact(reason)]).encode())
    os._exit(0)


def _probe(plugin: str, distribution: str, config: Path) -> tuple[State, str]:
    catalog = scan()
    for entry in (*catalog.plugins, *catalog.commands.values()):
        if (entry.id, entry.distribution) == (plugin, distribution):
            return _command(entry) if entry.kind == "cli" else _plugin(entry, config)
    return State.BROKEN, "is not installed any more"


def _command(entry: Entry) -> tuple[State, str]:
    command, problem = _imported(entry.value)
    if not problem and not isinstance(command, click.Command):
        problem = f"{entry.value} is no click command"
    return (State.BROKEN, problem) if problem else (State.AVAILABLE, "")


def _plugin(entry: Entry, config: Path) -> tuple[State, str]:
    """Register the plugin, with the tools if one of those opens its kind, and try its offer."""
    catalog = scan()
    module = (entry.distribution, entry.value)
    own = [other for other in catalog.plugins if (other.distribution, other.value) == module]
    statuses = [Status(entry=other, state=State.AVAILABLE) for other in own]
    if needs_owner(entry.kind):
        statuses += [s for s in judge(catalog, Policy()) if s.entry.kind in OWNERS]
    loaded = load_plugins(statuses)
    status = next(status for status in loaded.statuses if status.entry == entry)
    if not status.state.usable:
        return status.state, status.reason
    offers = [plugin for plugin in loaded.plugins[entry.kind] if plugin.entry == entry]
    return _tried(offers[0], config) if offers else (State.AVAILABLE, "")


def _tried(plugin: Plugin, path: Path) -> tuple[State, str]:
    try:
        plugin.spec.config.model_json_schema()
    except Exception as error:
        return State.BROKEN, f"its configuration model can not be built: {_in_words(error)}"
    factory, problem = _imported(plugin.spec.factory)
    if not problem and not callable(factory):
        problem = f"its factory {plugin.spec.factory} is no function"
    if problem:
        return State.BROKEN, problem
    try:
        config = load(path)
    except ConfigError:
        return State.AVAILABLE, ""
    return _section(plugin, config)


def _section(plugin: Plugin, config: Config) -> tuple[State, str]:
    off = config.is_off(plugin.spec, plugin.kind)
    result = None if off else config.validated(plugin.spec, plugin.kind)
    if isinstance(result, tuple):
        return State.MISCONFIGURED, listed(result)
    return State.AVAILABLE, ""


def _imported(path: str) -> tuple[Any, str]:
    """Return what an import string names, and why it can not be imported."""
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name), ""
    except (Exception, SystemExit) as error:
        return None, f"import of {path} failed: {_in_words(error)}"


if __name__ == "__main__":
    main()
