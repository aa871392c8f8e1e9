"""``nanobot doctor``: everything that can be checked at once, each finding with its remedy."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import click
from nanobot import __version__
from nanobot.admin import Config, State, Status
from nanobot.errors import ConfigError
from nanobot.findings import Finding
from nanobot.messages import Effect, Role
from nanobot.specs import CommandSpec, ToolSpec

from nanobot_cli_admin.check import check
from nanobot_cli_admin.diagnosis import Diagnosis, diagnose
from nanobot_cli_admin.installed import PARKED, inventory, remedy
from nanobot_cli_admin.loading import Loaded, load_plugins
from nanobot_cli_admin.online import try_out
from nanobot_cli_admin.options import config_file, config_option
from nanobot_cli_admin.survey import label, survey
from nanobot_cli_admin.text import paint, say, verdict, wrapped

Report = dict[str, list[Finding]]


@click.command()
@config_option
@click.option(
    "--online", is_flag=True, help="Ask each model that is set up one word, with its key."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(config_path: Path | None, online: bool, as_json: bool) -> None:
    """Check configuration, plugins, files and model, and say how to put right what is wrong.

    Works with a broken configuration too. No setting is changed, and no other machine is asked
    unless with --online. The exit status is 1 if there is an error.
    """
    path = config_file(config_path)
    report = _examine(path, online=online)
    found = [finding for findings in report.values() for finding in findings]
    errors = sum(finding.severity == "error" for finding in found)
    if as_json:
        say(json.dumps(_as_json(path, report), indent=2, ensure_ascii=False))
    else:
        say(_heading(path))
        for area, findings in report.items():
            say(f"\n{area}")
            _print(findings)
        counts: Counter[str] = Counter(finding.severity for finding in found)
        say(f"\n{_count(counts, 'error')}, {_count(counts, 'warning')}.")
    if errors:
        sys.exit(1)


def _count(counts: Counter[str], severity: str) -> str:
    return f"{counts[severity]} {severity}" + ("" if counts[severity] == 1 else "s")


def _heading(path: Path) -> str:
    system = f"Python {platform.python_version()}, {platform.system()}"
    return f"nanobot {__version__}, {system}\n{path}"


def _as_json(path: Path, report: Report) -> dict[str, object]:
    return {
        "version": __version__,
        "python": platform.python_version(),
        "config": str(path),
        "findings": [
            {"area": area.lower(), **asdict(finding)}
            for area, findings in report.items()
            for finding in findings
        ],
    }


def _print(findings: list[Finding]) -> None:
    if not findings:
        say(f"  {paint('ok', 'green')}")
    for finding in findings:
        say(verdict(finding.severity, str(replace(finding, remedy="")), indent=2))
        if finding.remedy:
            say(wrapped(finding.remedy, 11))


def _examine(path: Path, *, online: bool) -> Report:
    diagnosis = diagnose(path, os.environ)
    known = inventory(path, os.environ).statuses
    tested = {status.entry: status for status in check(_testable(known), path)}
    statuses = [tested.get(status.entry, status) for status in known]
    loaded = load_plugins(
        replace(status, state=State.AVAILABLE) if status.state is State.MISCONFIGURED else status
        for status in statuses
    )
    return {
        "Configuration": [*diagnosis.findings, *diagnosis.claims(loaded)],
        "Files": list(_files(path, diagnosis.config)),
        "Plugins": list(_plugins(statuses)),
        "Model": list(_model(diagnosis, loaded, online=online)),
        "Tools": list(_tools(diagnosis, loaded)),
        "Roles": list(_roles(loaded)),
    }


def _testable(statuses: tuple[Status, ...]) -> Iterator[Status]:
    """Yield what to test anew; a plugin that failed while it ran may well pass the test."""
    for status in statuses:
        if status.state not in (State.DISABLED, State.FAILED):
            yield status


def _plugins(statuses: list[Status]) -> Iterator[Finding]:
    for status in statuses:
        if status.state in PARKED:
            reason = f"is {status.state}: {status.reason}"
            if status.state is State.MISCONFIGURED:
                reason = "is left out, for its section is not valid"
            yield Finding(
                path=status.entry.id, severity="error", message=reason, remedy=remedy(status)
            )


def _files(path: Path, config: Config | None) -> Iterator[Finding]:
    if not path.exists():
        yield _info(str(path), "is not there; defaults apply", "nanobot onboard   writes one")
    folder = path.absolute().parent
    if folder.is_dir():
        mode = stat.S_IMODE(folder.stat().st_mode)
        if mode & 0o077:
            message = f"is open to other users (mode {mode:04o})"
            yield _finding(str(folder), "warning", message, f"chmod 700 {folder}")
        yield from _unwritable(folder)
    if config is None:
        return
    try:
        workspace = config.instance().workspace
    except ConfigError as error:
        yield _finding("", "error", error.message, _ELSEWHERE)
        return
    if workspace.is_dir():
        yield from _unwritable(workspace)
    elif workspace.exists():
        yield _finding(str(workspace), "error", "is the workspace, but is no folder", _ELSEWHERE)
    else:
        existing = next(parent for parent in workspace.parents if parent.exists())
        yield from _unwritable(existing)


_ELSEWHERE = "nanobot config set agents.defaults.workspace FOLDER"


def _unwritable(folder: Path) -> Iterator[Finding]:
    if not os.access(folder, os.W_OK | os.X_OK):
        yield _finding(str(folder), "error", "can not be written", f"chmod u+rwx {folder}")


def _model(diagnosis: Diagnosis, loaded: Loaded, *, online: bool) -> Iterator[Finding]:
    if diagnosis.config is None:
        yield _info("", "not checked, since the configuration can not be used", "")
        return
    try:
        found = asyncio.run(survey(diagnosis.config, loaded, os.environ))
    except ConfigError:  # the workspace can not be found, which the files' check says
        return
    if found.problem:
        yield _finding("", "error", found.problem.message, found.problem.remedy)
    for name, choices in found.presets.items():
        for number, choice in enumerate(choices):
            missing = found.unready(choice)
            place = f"fallback {number}" if number else f"preset {name}" if name else "model"
            if name and number:
                continue  # all presets have the fallbacks of the default
            if missing:
                message = f"{label(choice)}: its provider is {missing.state}"
                yield _finding(place, "error", message, missing.remedy)
            elif not name and not number:
                yield _info(place, f"{label(choice)} answers: {choice.reason}", "")
    for notice in found.notices:
        if "can not be used" in notice:
            yield _finding("", "warning", notice, "nanobot status   shows what is set up")
    if online:
        asked = (choice for preset in found.presets.values() for choice in preset)
        ready = [choice for choice in asked if not found.unready(choice)]
        yield from asyncio.run(try_out(diagnosis.config, loaded, os.environ, ready))


def _tools(diagnosis: Diagnosis, loaded: Loaded) -> Iterator[Finding]:
    if loaded.plugins.get("sandboxes"):
        return
    for plugin in loaded.plugins.get("tools", ()):
        tools = plugin.spec.tools if isinstance(plugin.spec, ToolSpec) else ()
        off = diagnosis.sections and diagnosis.sections.is_off(plugin.spec, plugin.kind)
        if not off and any(Effect.EXEC in tool.effects.touches for tool in tools):
            yield _info(
                plugin.id,
                "runs commands with all rights of your user: no sandbox is installed",
                "pip install nanobot-sandbox-bwrap, or: nanobot plugins disable " + plugin.id,
            )


def _roles(loaded: Loaded) -> Iterator[Finding]:
    """Say what each role may use that those below it may not."""
    needed: dict[Role, list[str]] = {role: [] for role in (Role.OWNER, Role.USER, Role.GUEST)}
    for plugin in loaded.plugins.get("commands", ()):
        if isinstance(plugin.spec, CommandSpec):
            needed[plugin.spec.role].append(f"/{plugin.spec.name.replace('_', '-')}")
    for plugin in loaded.plugins.get("tools", ()):
        for tool in plugin.spec.tools if isinstance(plugin.spec, ToolSpec) else ():
            needed[tool.role].append(tool.name)
    for role, names in needed.items():
        if names:
            yield _info(str(role), f"may use {', '.join(sorted(names))}", "")


def _info(path: str, message: str, remedy: str) -> Finding:
    return _finding(path, "info", message, remedy)


def _finding(
    path: str, severity: Literal["error", "warning", "info"], message: str, remedy: str
) -> Finding:
    return Finding(path=path, severity=severity, message=message, remedy=remedy)
