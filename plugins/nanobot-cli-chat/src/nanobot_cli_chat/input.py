"""The line editor: history, completion of slash commands, several lines, exit keys."""

from __future__ import annotations

import os
import termios
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from nanobot.paths import private_dir
from nanobot.specs import CommandSpec
from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.enums import DEFAULT_BUFFER
from prompt_toolkit.filters import Condition, has_focus
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import FileHistory, History
from prompt_toolkit.input import Input
from prompt_toolkit.input.ansi_escape_sequences import ANSI_SEQUENCES
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.output import Output

from nanobot_cli_chat.sanitize import one_line

_PROMPT = FormattedText([("bold", "❯ ")])
_HINT = FormattedText([("italic", "Ctrl+C again to leave")])
_SHIFT_ENTER = "\x1b[13;2u"  # as terminals with the CSI u protocol send it


class PrivateHistory(FileHistory):
    """What was typed, in a file that only its owner may read.

    Args:
        path: Created with its folder when missing; OSError when that fails.
    """

    def __init__(self, path: Path) -> None:
        private_dir(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
        super().__init__(str(path))

    def store_string(self, string: str) -> None:
        """Append an entry; half a surrogate pair, which no file can hold, becomes ``?``."""
        with suppress(OSError):  # a full disk must not cost the message
            super().store_string(string.encode("utf-8", "replace").decode("utf-8"))


class SlashCompleter(Completer):
    """Completes the name of a slash command at the start of the input."""

    def __init__(self, commands: Sequence[CommandSpec]) -> None:
        offers = {
            f"/{spec.name.replace('_', '-')}": (spec.usage, spec.description) for spec in commands
        }
        offers.setdefault("/exit", ("", "Leave the chat."))
        self._offers = sorted(offers.items())

    def get_completions(self, document: Document, event: CompleteEvent) -> Iterable[Completion]:
        """Offer the commands that start as the input does."""
        typed = document.text_before_cursor.lower()
        if not typed.startswith("/"):
            return
        for name, (usage, description) in self._offers:
            if name.startswith(typed):
                yield Completion(
                    f"{name} " if usage else name,
                    start_position=-len(typed),
                    display=one_line(f"{name} {usage}", 40),
                    display_meta=one_line(description, 100),
                )


class PromptReader:
    """Reads messages from a person at a terminal.

    Args:
        history: What was typed before.
        commands: Slash commands to complete.
        source: Keys, by default those of the terminal.
        screen: Where the editor is drawn, by default the terminal.
    """

    def __init__(
        self,
        history: History,
        commands: Sequence[CommandSpec],
        *,
        source: Input | None = None,
        screen: Output | None = None,
    ) -> None:
        ANSI_SEQUENCES.setdefault(_SHIFT_ENTER, (Keys.Escape, Keys.ControlM))
        self._leaving = False
        """Ctrl+C was the last key, on an empty line."""
        self._session: PromptSession[str] = PromptSession(
            _PROMPT,
            multiline=True,
            prompt_continuation="  ",
            history=history,
            completer=SlashCompleter(commands),
            complete_while_typing=Condition(self._names_command),
            auto_suggest=AutoSuggestFromHistory(),
            key_bindings=self._keys(),
            enable_suspend=True,
            search_ignore_case=True,
            input=source,
            output=screen,
        )
        self._session.default_buffer.on_text_changed += lambda buffer: self._typed(buffer.text)

    async def read(self) -> str | None:
        """Return the next message, None when the person leaves."""
        self._hint(leaving=False)
        try:
            return await self._session.prompt_async(handle_sigint=False)
        except EOFError:
            return None

    @contextmanager
    def busy(self) -> Iterator[None]:
        """Keep keys off the screen while a turn runs, and forget them; Ctrl+C still interrupts."""
        descriptor = self._session.input.fileno()
        if not os.isatty(descriptor):
            yield
            return
        before = termios.tcgetattr(descriptor)
        silent = [*before[:3], before[3] & ~(termios.ECHO | termios.ICANON), *before[4:]]
        termios.tcsetattr(descriptor, termios.TCSADRAIN, silent)
        try:
            yield
        finally:
            with suppress(termios.error):  # the terminal may be gone
                termios.tcflush(descriptor, termios.TCIFLUSH)
                termios.tcsetattr(descriptor, termios.TCSADRAIN, before)

    def _names_command(self) -> bool:
        return self._session.default_buffer.text.startswith("/")

    def _typed(self, text: str) -> None:
        if text:
            self._hint(leaving=False)

    def _hint(self, *, leaving: bool) -> None:
        self._leaving = leaving
        self._session.rprompt = _HINT if leaving else None

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()
        editing = has_focus(DEFAULT_BUFFER)

        @keys.add("enter", filter=editing)
        def submit(event: KeyPressEvent) -> None:
            event.current_buffer.validate_and_handle()

        @keys.add("escape", "enter", filter=editing)
        def newline(event: KeyPressEvent) -> None:
            event.current_buffer.insert_text("\n")

        @keys.add("c-c", filter=editing)
        def interrupt(event: KeyPressEvent) -> None:
            if self._leaving:
                event.app.exit(exception=EOFError)
            else:
                event.current_buffer.reset()
                self._hint(leaving=True)

        return keys
