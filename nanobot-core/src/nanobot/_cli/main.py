"""The command group: knows its commands from metadata, imports only the one that runs."""

from __future__ import annotations

import difflib
import sys
from importlib import import_module
from typing import Any

import click

from nanobot import __version__
from nanobot._plugins.catalog import Entry, scan
from nanobot.errors import NanobotError

_ABOUT = {
    "agent": "Chat, or answer one message with -m.",
    "config": "Show, check and change the configuration.",
    "doctor": "Check configuration, plugins and surroundings.",
    "onboard": "Create the configuration and the workspace.",
    "plugins": "List, inspect and manage plugins.",
    "status": "Show what is configured and which model answers.",
}


class LazyGroup(click.Group):
    """A group whose commands are entry points of group ``nanobot.v1.cli``."""

    _entries: dict[str, Entry] | None = None

    def _commands(self) -> dict[str, Entry]:
        if self._entries is None:
            self._entries = dict(scan().commands)
        return self._entries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._commands())

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        entry = self._commands().get(name)
        if entry is None:
            return None
        module, _, attribute = entry.value.partition(":")
        try:
            command: Any = getattr(import_module(module), attribute)
        except (Exception, SystemExit) as error:
            raise click.ClickException(
                f"the command {name!r} of {entry.distribution} can not be loaded: "
                f"{type(error).__name__}: {error}\npip install --upgrade {entry.distribution}"
            ) from None
        return command if isinstance(command, click.Command) else None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in self._commands():
            near = difflib.get_close_matches(name, self._commands(), n=1)
            meant = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(
                f"There is no command {name!r}.{meant} A plugin may bring it: "
                f"pip install nanobot-cli-{name}"
            )
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing any."""
        rows = [
            (name, _ABOUT.get(name, f"From {entry.distribution}."))
            for name, entry in sorted(self._commands().items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        """Run; an error that was foreseen is shown in words, without a traceback."""
        try:
            return super().invoke(ctx)
        except NanobotError as error:
            click.echo(f"Error: {error}", err=True)
            sys.exit(1)


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
)
@click.version_option(__version__, "-v", "--version", message="nanobot %(version)s")
def cli() -> None:
    """nanobot: a personal AI agent made of plugins."""
