"""The conversation: read a message, show the turn, again; stop turns, leave in good order."""

from __future__ import annotations

import asyncio
import errno
import io
import os
import signal
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from nanobot import log
from nanobot.errors import NanobotError
from nanobot.events import TurnEvent, TurnFinished
from nanobot.paths import Instance
from nanobot.specs import CommandSpec

from nanobot_cli_chat.sanitize import clean

EXIT_WORDS = frozenset({"exit", "quit", "/exit", "/quit", ":q"})
_INTERRUPTED = 130  # as shells report a program that Ctrl+C ended


class Bot(Protocol):
    """The part of `nanobot.Nanobot` that a chat needs."""

    @property
    def name(self) -> str:
        """Return what the agent is called."""
        ...

    @property
    def icon(self) -> str:
        """Return the sign that stands before its name."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """Return what the user should know before the first message."""
        ...

    @property
    def instance(self) -> Instance:
        """Return where the instance keeps its things."""
        ...

    def commands(self) -> Sequence[CommandSpec]:
        """Return the slash commands."""
        ...

    def events(self, text: str, /, *, session_key: str) -> AsyncIterator[TurnEvent]:
        """Run a turn; closing the generator that this is stops it."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


class View(Protocol):
    """What shows the conversation."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Show a turn while the context lasts."""
        ...

    def show(self, event: TurnEvent) -> None:
        """Show what happened in the turn."""
        ...

    def note(self, text: str) -> None:
        """Say something in passing."""
        ...

    def warn(self, text: str) -> None:
        """Say something that should be noticed."""
        ...

    def stopped(self) -> None:
        """Show that the turn was stopped."""
        ...

    def fail(self, message: str) -> None:
        """Show an error; what stands after the first line is the remedy."""
        ...


class Reader(Protocol):
    """What the messages come from."""

    async def read(self) -> str | None:
        """Return the next message, None when there are no more."""
        ...

    def busy(self) -> AbstractContextManager[None]:
        """Mark the time in which a turn runs."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """How to chat.

    Args:
        config: The configuration file, when one was named.
        workspace: The workspace, when one was named.
        session_key: The session to go on with.
        markdown: False to show answers as they were written.
        logs: True to write log records to standard error.
    """

    config: Path | None = None
    workspace: Path | None = None
    session_key: str = "cli:direct"
    markdown: bool = True
    logs: bool = False


class Chat:
    """One conversation.

    Args:
        bot: Who answers; already opened.
        reader: What the messages come from.
        view: What shows them.
        session_key: The session they belong to.
    """

    def __init__(self, bot: Bot, reader: Reader, view: View, session_key: str) -> None:
        self._bot = bot
        self._reader = reader
        self._view = view
        self._session_key = session_key
        self._turn: asyncio.Task[None] | None = None
        self.failed = False
        """A turn ended with an error."""

    async def run(self) -> None:
        """Talk until the reader has no more, or gives one of the exit words."""
        while (line := await self._reader.read()) is not None:
            text = line.strip()
            if text.lower() in EXIT_WORDS:
                return
            if text:
                with self._reader.busy():
                    await self._answer(text)

    def stop_turn(self) -> bool:
        """Stop the running turn; False when there is none, or it is being stopped already."""
        return self._turn is not None and not self._turn.cancelling() and self._turn.cancel()

    async def _answer(self, text: str) -> None:
        async with self._view.turn():
            turn = self._turn = asyncio.create_task(self._show(text))
            try:
                await asyncio.wait({turn})
            finally:
                if not turn.done():
                    turn.cancel()
                    await asyncio.wait({turn})
                self._turn = None
            if turn.cancelled():
                self._view.stopped()
            elif error := turn.exception():
                self._report(error)

    async def _show(self, text: str) -> None:
        events = self._bot.events(text, session_key=self._session_key)
        try:
            async for event in events:
                self._view.show(event)
                if isinstance(event, TurnFinished) and event.error:
                    self.failed = True
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    def _report(self, error: BaseException) -> None:
        """Show an error of a turn; only what makes talking impossible ends the conversation."""
        if isinstance(error, BrokenPipeError):
            raise error
        self.failed = True
        if isinstance(error, NanobotError):
            self._view.fail(str(error))
            return
        # The traceback is for --logs; the person is told below.
        log.get(plugin="cli.chat").info("turn_failed", exc_info=error)
        self._view.fail(
            f"The turn failed: {type(error).__name__}: {error}\n"
            "What was said before is kept. Start with --logs to see where it happened."
        )


def run(open_bot: Callable[[Settings], Bot], settings: Settings) -> int:
    """Chat in the terminal, or through pipes, and return the exit status.

    Args:
        open_bot: Reads the configuration and returns the agent, not yet opened.
        settings: How to chat.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    log.configure(level="info" if settings.logs else "error")
    try:
        return asyncio.run(_chat(open_bot, settings))
    except asyncio.CancelledError:  # SIGTERM, SIGHUP, or Ctrl+C while the turn is being stopped
        return 0
    except KeyboardInterrupt:
        return _INTERRUPTED
    except NanobotError as error:
        sys.stderr.write(f"Error: {clean(log.redact(str(error)))}\n")
        return 1
    except OSError as error:
        if error.errno not in (errno.EPIPE, errno.EIO):
            raise
        # The terminal or the pipe is gone; what is left in the buffers has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


async def _chat(open_bot: Callable[[Settings], Bot], settings: Settings) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    interactive = _at_terminal()
    async with open_bot(settings) as bot:
        view, reader = _terminal(bot, settings) if interactive else _pipes()
        chat = Chat(bot, reader, view, settings.session_key)
        if settings.config:
            view.note(f"Using config: {settings.config}")
        for notice in bot.notices:
            view.warn(notice)
        if not interactive:
            await chat.run()
            return int(chat.failed)
        loop.add_signal_handler(signal.SIGINT, lambda: chat.stop_turn() or task.cancel())
        view.note(f"{bot.icon} {bot.name} · /help lists the commands, Ctrl+D leaves".lstrip())
        await chat.run()
        view.note("Goodbye!")
        return 0


def _at_terminal() -> bool:
    """Tell whether a person can edit a line here and see it drawn."""
    return sys.stdin.isatty() and sys.stdout.isatty() and os.environ.get("TERM", "") != "dumb"


def _terminal(bot: Bot, settings: Settings) -> tuple[View, Reader]:
    # Imported here because a conversation through pipes needs none of it.
    from prompt_toolkit.history import InMemoryHistory
    from rich.console import Console

    from nanobot_cli_chat.document import THEME
    from nanobot_cli_chat.input import PrivateHistory, PromptReader
    from nanobot_cli_chat.render import TerminalView

    view = TerminalView(
        Console(theme=THEME, markup=False, emoji=False, highlight=False),
        title=f"{bot.icon} {bot.name}".strip(),
        name=bot.name,
        markdown=settings.markdown,
        live=not settings.logs,
    )
    try:
        history = PrivateHistory(bot.instance.data / "history" / "chat_history")
    except OSError as error:
        view.warn(f"What you type is not kept for the next time: {error}")
        return view, PromptReader(InMemoryHistory(), bot.commands())
    return view, PromptReader(history, bot.commands())


def _pipes() -> tuple[View, Reader]:
    from nanobot_cli_chat.plain import LineReader, PlainView

    return PlainView(sys.stdout, sys.stderr), LineReader(sys.stdin)
