"""The command `nanobot chat`; what it needs is imported when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from nanobot_cli_chat.app import Bot, Settings


@click.command(name="chat", context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "-c",
    "--config",
    "config_path",
    type=click.Path(path_type=Path),
    help="Configuration file (default: ~/.nanobot/config.json).",
)
@click.option(
    "-w",
    "--workspace",
    type=click.Path(path_type=Path),
    help="Workspace folder, in place of the configured one.",
)
@click.option(
    "-s", "--session", default="cli:direct", show_default=True, help="Session to go on with."
)
@click.option("--markdown/--no-markdown", default=True, help="Render answers, or show them raw.")
@click.option("--logs/--no-logs", default=False, help="Write log records to standard error.")
@click.pass_context
def command(
    context: click.Context,
    config_path: Path | None,
    workspace: Path | None,
    session: str,
    markdown: bool,
    logs: bool,
) -> None:
    """Chat with the agent in the terminal.

    Enter sends, Alt+Enter starts a new line, Tab completes slash commands. Ctrl+C stops a running
    answer. Leave with exit, quit, :q or Ctrl+D. Without a terminal, each line of standard input is
    a message, and only answers go to standard output.
    """
    from nanobot_cli_chat.app import Settings, run

    settings = Settings(
        config=config_path,
        workspace=workspace,
        session_key=session if ":" in session else f"cli:{session}",
        markdown=markdown,
        logs=logs,
    )
    context.exit(run(_open_bot, settings))


def _open_bot(settings: Settings) -> Bot:
    from nanobot import Nanobot
    from nanobot.errors import ConfigError

    path = settings.config
    if path and not path.expanduser().exists():
        raise ConfigError(
            f"configuration file not found: {path}", remedy=f"nanobot onboard --config {path}"
        )
    return Nanobot.from_config(path, workspace=settings.workspace)
