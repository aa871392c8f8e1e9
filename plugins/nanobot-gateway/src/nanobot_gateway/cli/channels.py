"""``nanobot channels``: what is connected, and logging in."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nanobot_gateway.cli.options import existing, instance_options

if TYPE_CHECKING:
    from nanobot.context import PluginContext

    from nanobot_gateway.channel import Accepted, ChannelContext, Incoming
    from nanobot_gateway.config import ChannelConfig


@click.group()
def command() -> None:
    """Show the channels of this configuration, and log them in."""


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


@command.command()
@click.argument("name")
@click.option("--account", default="default", help="Account of the channel, by its name.")
@instance_options
def login(name: str, account: str, config_path: Path, workspace: Path | None) -> None:
    """Log a channel in, or check that it can: a QR code, a code to type, a token that is tried.

    The channel need not be switched on yet. Exit status: 0 when it is logged in, 1 when it can not
    be, with what to do about it.
    """
    import asyncio

    from nanobot.errors import NanobotError, describe

    try:
        click.echo(asyncio.run(_log_in(existing(config_path), workspace, name, account)))
    except NanobotError as error:
        line = ". ".join(each.rstrip(".") for each in (error.message, error.remedy) if each)
        raise click.ClickException(" ".join(line.split())) from None
    except Exception as error:  # of the platform's SDK, which may raise anything
        from nanobot.log import redact

        raise click.ClickException(redact(f"{name}: {describe(error)}")) from None


async def _log_in(path: Path, workspace: Path | None, name: str, account: str) -> str:
    """Let a channel log in and return what it says.

    Raises:
        NanobotError: There is no such channel or account, it has no login, or that failed.
    """
    import os
    from dataclasses import replace

    from nanobot.admin import assemble, load
    from nanobot.errors import ConfigError
    from nanobot.paths import private_dir
    from nanobot_settings.spelling import snake

    from nanobot_gateway.access import name_of
    from nanobot_gateway.accounts import wanted

    channel = snake(name)
    where = name_of(channel, snake(account))
    switch = f"NANOBOT_CHANNELS__{channel.upper()}__ENABLED"  # it may be logged in before that
    config = load(path, environ={**os.environ, switch: "true"})
    instance = config.instance(workspace)
    parts = assemble(config, instance, os.environ, kinds=("kinds",))
    problems: dict[str, str] = {}
    accounts = {each.account.name: each for each in wanted(parts, lambda _: None, problems)}
    found = accounts.get(where)
    if found is None:
        raise ConfigError(
            f"channels.{channel} {problems[f'channels.{channel}']}"
            if f"channels.{channel}" in problems
            else f"{channel} has no account {account!r} that is switched on"
        )
    if "login" not in found.plugin.spec.options:
        raise ConfigError(
            f"{channel} has no login: it connects with what stands in channels.{channel}",
            remedy="nanobot channels status   shows how it fares",
        )
    plugin = replace(
        found.plugin, spec=replace(found.plugin.spec, factory=f"{__name__}:open_login")
    )
    section, media = found.account.section, private_dir(instance.media / where)
    extend = partial(_extended, account=found.account.account, media=media)
    try:
        async with parts.registry.enter(plugin, section, f"channels.{where}", extend) as said:
            return str(said)
    finally:
        await parts.registry.aclose()


@asynccontextmanager
async def open_login(config: ChannelConfig, context: ChannelContext) -> AsyncIterator[str]:
    """Call what a spec's option ``login`` names, and give what it returns.

    It is an import string, ``module:function``, of ``async def login(config, context, console) ->
    str``: `context` is what the channel's factory gets, `console` shows a line while it goes on,
    and what it returns is the last one. It raises a `nanobot.errors.NanobotError` with a remedy
    when the platform refuses.
    """
    module, _, function = str(context.options["login"]).partition(":")
    yield await getattr(import_module(module), function)(config, context, click.echo)


def _extended(context: PluginContext, *, account: str, media: Path) -> PluginContext:
    """Return the context of a channel whose messages nobody takes yet."""
    from dataclasses import fields

    from nanobot_gateway.channel import ChannelContext

    async def refuse(message: Incoming) -> Accepted:
        raise RuntimeError("a login brings no messages in")

    return ChannelContext(
        **{field.name: getattr(context, field.name) for field in fields(context)},
        account=account,
        accept=refuse,
        admits=lambda message: False,
        ready=lambda: None,
        media=media,
        commands=tuple,
    )
