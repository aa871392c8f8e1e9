"""``nanobot channels``: what is connected."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from nanobot_gateway.cli.options import existing, instance_options


@click.group()
def command() -> None:
    """Show the channels of this configuration."""


@command.command()
@instance_options
def status(config_path: Path, workspace: Path | None) -> None:
    """Show which channels are switched on, and how they fare in the running gateway."""
    from nanobot.admin import load

    from nanobot_gateway.cli.process import report

    path = existing(config_path)
    config = load(path)
    lines, code = report(path, workspace)
    running = dict(line.split(": ", 1) for line in lines if line.startswith("channels."))
    for name in config.section_names("channels"):
        section = config.effective["channels"][name]
        on = section.get("enabled", section.get("enable", False)) or section.get("accounts")
        state = running.pop(f"channels.{name}", "switched on" if on else "switched off")
        click.echo(f"{name}: {state}")
    for id, state in running.items():
        click.echo(f"{id.removeprefix('channels.')}: {state}")
    if code == 3:
        click.echo("no gateway is running", err=True)
    sys.exit(1 if code == 1 else 0)
