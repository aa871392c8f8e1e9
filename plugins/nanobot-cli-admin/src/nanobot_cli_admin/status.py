"""``nanobot status``: what is configured, and which model answers and why."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import click
from nanobot import __version__
from nanobot.admin import Status, judge, load, policy, scan
from nanobot.errors import ConfigError

from nanobot_cli_admin.installed import PARKED, inventory
from nanobot_cli_admin.loading import load_plugins
from nanobot_cli_admin.options import config_file, config_option, workspace_option
from nanobot_cli_admin.survey import Survey, label, survey
from nanobot_cli_admin.text import listing, mark, say

Facts = dict[str, Any]


@click.command()
@config_option
@workspace_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(config_path: Path | None, workspace: Path | None, as_json: bool) -> None:
    """Show what is configured, which model answers and why.

    The exit status is 1 if the configuration can not be used or no model can be asked.
    """
    facts = _facts(config_file(config_path), workspace)
    if as_json:
        say(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        _print(facts)
    if facts["error"]:
        sys.exit(1)


def _facts(path: Path, workspace: Path | None) -> Facts:
    known = inventory(path, os.environ).statuses
    facts: Facts = {
        "version": __version__,
        "config": {"path": str(path), "exists": path.exists()},
        "workspace": None,
        "model": None,
        "fallbacks": [],
        "presets": {},
        "providers": [],
        "plugins": _summary(known),
        "notices": [],
        "error": "",
    }
    try:
        config = load(path)
        folder = config.instance(workspace).workspace
        facts["workspace"] = {"path": str(folder), "exists": folder.is_dir()}
        loaded = load_plugins(judge(scan(), policy(config.effective, os.environ)))
        found = asyncio.run(survey(config, loaded, os.environ))
    except ConfigError as error:
        facts["error"] = str(error)
    else:
        fresh = {status.entry: status for status in loaded.statuses}
        merged = [_worse(status, fresh.get(status.entry, status)) for status in known]
        facts |= {"plugins": _summary(merged), **_models(found)}
    facts["next"] = _next(facts)
    return facts


def _models(found: Survey) -> Facts:
    first, *fallbacks = found.presets.get("", (None,))
    missing = found.unready(first) if first else None
    error = str(found.problem) if found.problem else ""
    if first and missing:
        error = f"{label(first)}: its provider is {missing.state}\n{missing.remedy}"
    return {
        "model": first and {"name": label(first), "reason": first.reason},
        "fallbacks": [label(choice) for choice in fallbacks],
        "presets": {name: label(choices[0]) for name, choices in found.presets.items() if name},
        "providers": [
            {"name": setup.name, "ready": setup.ready, "state": setup.state}
            for setup in found.providers
        ],
        "notices": list(found.notices),
        "error": error.strip(),
    }


def _worse(earlier: Status, now: Status) -> Status:
    return now if now.state in PARKED else earlier


def _summary(statuses: list[Status] | tuple[Status, ...]) -> Facts:
    counts = Counter("enabled" if s.state.usable else str(s.state) for s in statuses)
    parked = [status.entry.id for status in statuses if status.state in PARKED]
    return {"installed": len(statuses), "states": dict(counts), "not_usable": parked}


def _next(facts: Facts) -> str:
    if facts["error"] or facts["plugins"]["not_usable"]:
        return "nanobot doctor"
    return 'nanobot agent -m "Hello!"' if facts["config"]["exists"] else "nanobot onboard"


def _print(facts: Facts) -> None:
    say(f"nanobot {facts['version']}\n")
    config, workspace, model = facts["config"], facts["workspace"], facts["model"]
    absent = "" if config["exists"] else " (not there; defaults apply)"
    lines = [(f"{mark(config['exists'])} config", config["path"] + absent)]
    if workspace:
        made = "" if workspace["exists"] else " (made on first use)"
        lines.append((f"{mark(workspace['exists'])} workspace", workspace["path"] + made))
    if model:
        good = not facts["error"]
        lines.append((f"{mark(good)} model", f"{model['name']}: {model['reason']}"))
    elif workspace:
        lines.append((f"{mark(False)} model", "none can be asked"))
    lines += [("  fallback", name) for name in facts["fallbacks"]]
    lines += [("  preset", f"{name}: {model}") for name, model in facts["presets"].items()]
    states = [f"{count} {state}" for state, count in facts["plugins"]["states"].items()]
    lines.append(("  plugins", ", ".join(states) or "none is installed"))
    lines += [("", f"not usable: {name}") for name in facts["plugins"]["not_usable"]]
    listing(lines)
    if facts["providers"]:
        say("\nProviders")
        listing(
            ((f"{mark(p['ready'])} {p['name']}", p["state"]) for p in facts["providers"]), indent=2
        )
    for notice in facts["notices"]:
        if not model or model["reason"] not in notice:
            say(f"\n{notice}")
    if facts["error"]:
        say(f"\nError: {facts['error']}", err=True)
    say(f"\nNext: {facts['next']}")
