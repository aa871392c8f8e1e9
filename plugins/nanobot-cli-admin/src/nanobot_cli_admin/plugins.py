"""``nanobot plugins``: what is installed, what it can be set to, and whether it works."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path

import click
from nanobot.admin import State, Status

from nanobot_cli_admin.installed import PARKED, Inventory, find, inventory, remedy
from nanobot_cli_admin.options import config_file, config_option
from nanobot_cli_admin.text import aligned, one_line, paint, say, wrapped

_KINDS = (
    *("tool", "provider", "command", "prompt", "middleware"),
    *("channel", "service", "store"),
)


@click.group(no_args_is_help=True)
def command() -> None:
    """List, inspect and manage plugins.

    A plugin is named by its id (tools.dice), its name (dice) or its distribution
    (nanobot-tool-dice).
    """


def _inventory(config: Path) -> Inventory:
    found = inventory(config, os.environ)
    if found.problem:
        say(f"Warning: {found.problem}", err=True)
    return found


def _word(status: Status) -> str:
    return "enabled" if status.state.usable else str(status.state)


def _colour(status: Status) -> str:
    return "green" if status.state.usable else "red" if status.state in PARKED else "yellow"


def _explain(status: Status) -> None:
    for line in filter(None, (status.reason, remedy(status))):
        say(wrapped(one_line(line), 6, first=4))


@command.command("list")
@config_option
@click.option("--cost", is_flag=True, help="List what each tool's schema costs in every call.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(config_path: Path | None, cost: bool, as_json: bool) -> None:
    """List the installed plugins and their states.

    None is imported, unless with --cost. What is wrong with one was found out by `nanobot plugins
    check` or by a run.
    """
    statuses = _inventory(config_file(config_path)).statuses
    if cost:
        _costs(statuses, as_json=as_json)
        return
    if as_json:
        say(json.dumps([_as_json(status) for status in statuses], indent=2))
        return
    if not statuses:
        say("No plugin is installed. Try: pip install nanobot-provider-openai")
        return
    rows = [("PLUGIN", "STATE", "VERSION", "DISTRIBUTION")]
    rows += [
        (status.entry.id, _word(status), status.entry.version, status.entry.distribution)
        for status in statuses
    ]
    head, *lines = aligned(rows)
    say(head)
    for status, line in zip(statuses, lines, strict=True):
        word = f" {_word(status)} "
        say(wrapped(line, 4, first=0).replace(word, paint(word, _colour(status)), 1))
        _explain(status)


def _costs(statuses: Iterable[Status], *, as_json: bool) -> None:
    from nanobot_cli_admin.cost import costs, tokens
    from nanobot_cli_admin.loading import load_plugins

    tools = [s for s in statuses if s.entry.kind == "tools" and s.state.usable]
    loaded = load_plugins(tools).plugins.get("tools", ())
    found = costs(loaded)
    total = sum(cost.bytes for cost in found)
    later = sorted({plugin.id for plugin in loaded} - {cost.plugin for cost in found})
    if as_json:
        listed = [
            {"tool": c.tool, "plugin": c.plugin, "bytes": c.bytes, "tokens": c.tokens}
            for c in found
        ]
        summary = {"tools": listed, "bytes": total, "tokens": tokens(total), "later": later}
        say(json.dumps(summary, indent=2))
        return
    rows = [("TOOL", "PLUGIN", "BYTES", "TOKENS")]
    rows += [(c.tool, c.plugin, f"{c.bytes:>5}", f"{c.tokens:>6}") for c in found]
    rows.append(("total", f"{len(found)} tools", f"{total:>5}", f"{tokens(total):>6}"))
    for line in aligned(rows):
        say(line)
    say("\nSent with every model call; tokens are estimated, and vendors cache them.")
    if later:
        say(wrapped(f"Known only when they run: the tools of {', '.join(later)}.", 0))


def _as_json(status: Status) -> dict[str, str]:
    entry = status.entry
    return {
        "id": entry.id,
        "kind": entry.kind,
        "name": entry.name,
        "distribution": entry.distribution,
        "version": entry.version,
        "state": _word(status),
        "reason": one_line(status.reason),
        "remedy": remedy(status),
    }


@command.command("show")
@click.argument("name")
@config_option
def show_(name: str, config_path: Path | None) -> None:
    """Show what a plugin offers and every setting it has."""
    found = _inventory(config_file(config_path))
    chosen = find(name, found.statuses)
    from nanobot_cli_admin.loading import OWNERS, describable, load_plugins, needs_owner
    from nanobot_cli_admin.show import show

    ids = {status.entry.id for status in chosen}
    owners = OWNERS if any(needs_owner(status.entry.kind) for status in chosen) else ()
    everybody = describable(found.document, os.environ)
    loaded = load_plugins(s for s in everybody if s.entry.id in ids or s.entry.kind in owners)
    plugins = {p.entry: p for offered in loaded.plugins.values() for p in offered}
    states = {status.entry: status for status in loaded.statuses}
    boxes = [s.entry.name for s in found.statuses if s.entry.kind == "sandboxes" and s.state.usable]
    for number, status in enumerate(chosen):
        if number:
            say()
        fresh = states.get(status.entry, status)
        show(status if fresh.state.usable else fresh, plugins.get(status.entry), sandboxes=boxes)


@command.command()
@click.argument("name")
@config_option
def enable(name: str, config_path: Path | None) -> None:
    """Use a plugin that was switched off."""
    _switch(name, config_path, on=True)


@command.command()
@click.argument("name")
@config_option
def disable(name: str, config_path: Path | None) -> None:
    """Switch a plugin off; its settings are kept."""
    _switch(name, config_path, on=False)


def _switch(name: str, config_path: Path | None, *, on: bool) -> None:
    path = config_file(config_path)
    chosen = find(name, inventory(path, os.environ).statuses)
    from nanobot_cli_admin import switch

    switch.refuse_commands(chosen)
    (switch.enable if on else switch.disable)(chosen, path)
    wanted = {status.entry for status in chosen}
    now = [status for status in _inventory(path).statuses if status.entry in wanted]
    for status in now:
        say(f"{status.entry.id} is {_word(status)}.")
        if on:
            _explain(status)
    if on and any(status.state is State.DISABLED for status in now):
        sys.exit(1)


@command.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@config_option
def check(names: tuple[str, ...], config_path: Path | None) -> None:
    """Test each plugin in a process of its own.

    Checks all plugins that are not switched off, or those named. The exit status is 1 if one can
    not be used. The verdicts are kept for `nanobot plugins list`.
    """
    path = config_file(config_path)
    statuses = _inventory(path).statuses
    chosen: Iterable[Status] = [s for s in statuses if s.state is not State.DISABLED]
    if names:
        chosen = {s.entry: s for name in names for s in find(name, statuses)}.values()
    from nanobot_cli_admin.check import check as run

    bad = total = 0
    for status in run(chosen, path):
        total += 1
        bad += status.state in PARKED
        word = "works" if status.state.usable else str(status.state)
        say(f"{status.entry.id}: {paint(word, _colour(status))}")
        _explain(status)
    say(f"{total} checked, {bad} can not be used." if bad else f"{total} checked, all work.")
    if bad:
        sys.exit(1)


@command.command()
@click.argument("kind", type=click.Choice(_KINDS), metavar="KIND")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path),
    default=".",
    help="Folder to make the distribution's folder in.",
)
def new(kind: str, name: str, folder: Path) -> None:
    """Write a plugin to start from, complete with its contract test.

    KIND is tool, provider, command, prompt, middleware, channel, service or store.
    """
    from nanobot_cli_admin.new_plugin import create

    made = create(kind, name, folder)
    say(f"Created {made}")
    say(f"\n  cd {made}\n  pip install -e . nanobot-testing\n  pytest")


@command.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def install(name: str, yes: bool) -> None:
    """Install a plugin with pip or uv, after showing the command."""
    from nanobot_cli_admin.install import command as pip
    from nanobot_cli_admin.install import requirement

    wanted = requirement(name)
    _run(pip("install", wanted), yes)
    for status in _inventory(config_file(None)).statuses:
        if re.split(r"[^\w-]", wanted)[0] == status.entry.distribution:
            say(f"{status.entry.id} is {_word(status)}.")
            _explain(status)
            say(f"nanobot plugins show {status.entry.id}   lists its settings")


@command.command()
@click.argument("name")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def uninstall(name: str, yes: bool) -> None:
    """Uninstall a plugin with pip or uv, after showing the command."""
    from nanobot_cli_admin.install import command as pip

    found = find(name, inventory(config_file(None), os.environ).statuses)
    for distribution in sorted({status.entry.distribution for status in found}):
        _run(pip("uninstall", distribution), yes)


def _run(arguments: list[str], yes: bool) -> None:
    from nanobot_cli_admin.install import run, shown

    say(shown(arguments))
    if not yes and not click.confirm("Run this?", default=True):
        say("Nothing was changed.", err=True)
        sys.exit(1)
    status = run(arguments)
    if status:
        say(f"Error: the command ended with status {status}; nothing else was done.", err=True)
        sys.exit(1)
