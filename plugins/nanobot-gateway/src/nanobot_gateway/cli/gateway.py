"""``nanobot gateway``: run it, and look after it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from nanobot_gateway.cli.options import existing, instance_options
from nanobot_gateway.cli.service import COMMANDS


@click.group(invoke_without_command=True)
@instance_options
@click.option("--port", type=click.IntRange(0, 65535), help="Port in place of gateway.port.")
@click.option("--logs/--no-logs", default=False, help="Show all log records.")
@click.option("--json-logs", is_flag=True, help="Write log records as JSON, one a line.")
@click.pass_context
def command(
    ctx: click.Context,
    config_path: Path,
    workspace: Path | None,
    port: int | None,
    logs: bool,
    json_logs: bool,
) -> None:
    """Run the gateway: channels, services and the agent behind them.

    It runs in the foreground until it gets SIGTERM or Ctrl+C: running turns may end then. A second
    signal stops it at once; what was running goes on at the next start. An edited configuration,
    or SIGHUP, is applied without dropping chats. Exit status: 0 after it was stopped, 1 when it
    could not be started.
    """
    ctx.obj = (existing(config_path), workspace)
    if port is not None:
        os.environ["NANOBOT_GATEWAY__PORT"] = str(port)
    if ctx.invoked_subcommand is not None:
        return
    from nanobot import log

    log.configure(level="info" if logs else "warning", json=json_logs)
    import asyncio

    from nanobot_gateway.runner import run

    again = asyncio.run(run(existing(config_path), workspace, _tell))
    if again:
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - itself


@command.command()
@click.pass_context
def status(ctx: click.Context) -> None:
    """Say whether a gateway runs, and how its channels and services fare.

    Exit status: 0 when it runs and all is well, 1 when something is not, 3 when none runs.
    """
    from nanobot_gateway.cli.process import report

    config_path, workspace = ctx.obj
    lines, code = report(config_path, workspace)
    for line in lines:
        click.echo(line)
    sys.exit(code)


@command.command()
@click.argument("words", nargs=-1)
@click.pass_context
def pairing(ctx: click.Context, words: tuple[str, ...]) -> None:
    """List, approve, deny or revoke who may talk to the agent.

    WORDS: list | approve CODE | deny CODE | revoke [CHANNEL] ID
    """
    from nanobot.context import SystemClock

    from nanobot_gateway.commands import USAGE, pairing_command
    from nanobot_gateway.pairing import PairingStore

    config_path, _ = ctx.obj
    store = PairingStore(config_path.parent / "pairing.json", SystemClock())
    reply = pairing_command(store, " ".join(words))
    if reply == USAGE:
        raise click.UsageError("list | approve CODE | deny CODE | revoke [CHANNEL] ID")
    click.echo(reply)


def _tell(line: str) -> None:
    click.echo(line, err=True)


for _each in COMMANDS:
    command.add_command(_each)
