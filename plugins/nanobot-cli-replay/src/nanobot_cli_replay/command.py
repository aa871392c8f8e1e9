"""``nanobot replay``: run a recorded session again."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import click
from nanobot.admin import load
from nanobot.errors import ConfigError
from nanobot.paths import default_config_path

from nanobot_cli_replay.recording import Recording, find, read
from nanobot_cli_replay.replaying import Outcome, replay
from nanobot_cli_replay.testcase import write

_LIVE = (
    "Live tools run for real: files in a copy of the workspace, but commands, messages and the "
    "network as they are."
)


@click.command()
@click.argument("session")
@click.option("--turn", type=int, help="Run this turn alone, counted from 1.")
@click.option("--live-tools", is_flag=True, help="Run the real tools in place of their results.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--write", "target", type=click.Path(path_type=Path), help="Write a pytest test.")
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    default=default_config_path,
    help="Configuration file (default: ~/.nanobot/config.json).",
)
@click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path),
    help="Workspace folder, in place of the configured one.",
)
def command(
    session: str,
    turn: int | None,
    live_tools: bool,
    as_json: bool,
    target: Path | None,
    config_path: Path,
    workspace: Path | None,
) -> None:
    """Run SESSION again with its recorded answers, and report the first difference.

    SESSION is a session's key or the path of a transcript. Everything happens in a temporary
    folder; the session and the workspace are only read. The exit status is 1 when something
    differs.
    """
    if target is not None and live_tools:
        raise click.UsageError("--write needs the recorded results; leave --live-tools out")
    if live_tools:
        click.echo(_LIVE, err=True)
    path = config_path.expanduser().absolute()
    if path != default_config_path() and not path.exists():
        raise ConfigError(f"configuration file not found: {path}")
    config = load(path)
    instance = config.instance(workspace)
    recording = read(*find(instance.sessions, session))
    outcome = asyncio.run(
        replay(config, recording, turn=turn, live_tools=live_tools, workspace=instance.workspace)
    )
    _report(recording, outcome, as_json)
    if outcome.difference is not None:
        sys.exit(1)
    if target is not None:
        count = write(target, recording, outcome)
        click.echo(f"Wrote a test of {count} turns to {target}.", err=as_json)


def _report(recording: Recording, outcome: Outcome, as_json: bool) -> None:
    difference = outcome.difference
    if as_json:
        report = {
            "session": recording.key,
            "turns": len(recording.turns),
            "records": outcome.records,
            "same": difference is None,
            "difference": difference and difference.as_json(),
            "skipped": outcome.skipped,
        }
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
        return
    for number, reason in outcome.skipped.items():
        click.echo(f"Turn {number} was left out: {reason}.")
    if difference is None:
        click.echo(f"The same: {outcome.records} records of {recording.key}.")
    else:
        click.echo(f"Differs at {difference}")
