"""``nanobot agent``: one message, or a conversation."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import stat
import sys
from importlib import import_module
from pathlib import Path

import click

from nanobot_cli_admin.options import config_file, config_option, workspace_option


@click.command()
@click.option("-m", "--message", help="Answer this message and exit; - reads it from stdin.")
@click.option("-s", "--session", default="cli:direct", show_default=True, help="Session key.")
@config_option
@workspace_option
@click.option("--markdown/--no-markdown", default=True, help="Render markdown in a terminal.")
@click.option("--logs/--no-logs", default=False, help="Show log records on stderr.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for the answer.")
@click.pass_context
def command(
    ctx: click.Context,
    message: str | None,
    session: str,
    config_path: Path | None,
    workspace: Path | None,
    markdown: bool,
    logs: bool,
    as_json: bool,
) -> None:
    """Chat with the agent, or answer one message with -m.

    With -m the answer goes to stdout and everything else to stderr; the exit status is 0 only when
    the model answered. Text piped into stdin is put after the message.
    """
    from nanobot import log

    log.configure(level="info" if logs else "error")
    path = config_file(config_path)
    text = _message(message)
    if text is None and not as_json:
        chat = _chat_command(ctx)
        if chat is not None:
            ctx.invoke(
                chat,
                config_path=config_path,
                workspace=workspace,
                session=session,
                markdown=markdown,
                logs=logs,
            )
            return
    from nanobot.sdk import Nanobot

    from nanobot_cli_admin import oneshot, repl

    bot = Nanobot.from_config(path if path.exists() else None, workspace=workspace)
    if text is None:
        sys.exit(_run(repl.chat(bot, session)))
    sys.exit(_run(oneshot.answer(bot, session, text, as_json=as_json)))


def _message(message: str | None) -> str | None:
    """Return what to answer: the option, what was piped in, or both; None to chat."""
    if message == "-":
        message = ""
    elif message is None and sys.stdin.isatty():
        return None
    piped = "" if sys.stdin is None or sys.stdin.isatty() else _piped(wait=message in (None, ""))
    if message is None and not piped.strip():
        return None
    text = "\n\n".join(part for part in (message, piped) if part and part.strip())
    if not text:
        raise click.UsageError("the message is empty; give one with -m TEXT")
    return text


def _piped(*, wait: bool) -> str:
    """Return what was piped into stdin.

    A stdin that is merely not a terminal (a supervisor's, an open socket) must not be waited for
    when the message was given by an option.
    """
    try:
        descriptor = sys.stdin.fileno()
        mode = os.fstat(descriptor).st_mode
    except (OSError, ValueError):
        return ""
    if stat.S_ISREG(mode) or wait:
        return sys.stdin.buffer.read().decode("utf-8", "replace")
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return ""
    if not select.select([descriptor], [], [], 0.05)[0]:
        return ""
    return sys.stdin.buffer.read().decode("utf-8", "replace")


def _chat_command(ctx: click.Context) -> click.Command | None:
    """Return the comfortable terminal's command when a distribution provides one."""
    from nanobot.admin import scan

    entry = scan().commands.get("chat")
    if entry is None:
        return None
    module, _, attribute = entry.value.partition(":")
    try:
        found = getattr(import_module(module), attribute)
    except Exception as error:
        click.echo(
            f"{entry.distribution} can not be loaded ({error}); plain chat instead", err=True
        )
        return None
    return found if isinstance(found, click.Command) else None


def _run(main: object) -> int:
    """Run to the end; an interrupt or termination stops the turn and keeps what was said."""

    async def go() -> int:
        task = asyncio.current_task()
        assert task
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, task.cancel)
        status: int = await main  # type: ignore[misc]
        return status

    try:
        return asyncio.run(go())
    except (KeyboardInterrupt, asyncio.CancelledError):
        click.echo("Stopped.", err=True)
        return 130
    except BrokenPipeError:
        return 141
