"""A bot that plays scripts, and a screen that shows what a person would see."""

from __future__ import annotations

import codecs
import fcntl
import importlib.util
import io
import os
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pyte
import pytest
from nanobot_cli_chat.document import THEME
from nanobot_cli_chat.render import TerminalView
from rich.console import Console

SCRIPT = Path(__file__).with_name("scripted_bot.py")


@pytest.fixture(scope="session")
def scripted() -> ModuleType:
    """The module `scripted_bot`."""
    spec = importlib.util.spec_from_file_location("scripted_bot", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["scripted_bot"] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def script() -> Path:
    """The program that lets a person talk to the scripted bot."""
    return SCRIPT


class Window:
    """A terminal of a given size, with what has scrolled out of it."""

    def __init__(self, columns: int = 80, rows: int = 40) -> None:
        self.screen = pyte.HistoryScreen(columns, rows, history=10_000, ratio=0.5)
        self.screen.set_mode(pyte.modes.LNM)  # as a terminal driver turns \n into \r\n
        self._stream = pyte.Stream(self.screen)

    def feed(self, text: str) -> None:
        self._stream.feed(text)

    def lines(self) -> list[str]:
        """Return all lines from the first one that scrolled out, without blanks at the ends."""
        above = [
            "".join(line[column].data for column in range(self.screen.columns))
            for line in self.screen.history.top
        ]
        lines = [line.rstrip() for line in [*above, *self.screen.display]]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    @property
    def text(self) -> str:
        return "\n".join(self.lines())


class _Feed(io.StringIO):
    """A file whose text goes to a window."""

    def __init__(self, window: Window) -> None:
        super().__init__()
        self._window = window

    def write(self, text: str) -> int:
        self._window.feed(text)
        return super().write(text)


@pytest.fixture
def make_window() -> Callable[..., Window]:
    """Make a terminal of a size."""
    return Window


@pytest.fixture
def make_view(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., TerminalView]]:
    """Make a view that prints into a window."""
    monkeypatch.delenv("NO_COLOR", raising=False)

    def make(window: Window, **options: bool) -> TerminalView:
        console = Console(
            file=_Feed(window),
            force_terminal=True,
            color_system="standard",
            width=window.screen.columns,
            height=window.screen.lines,
            theme=THEME,
            markup=False,
            emoji=False,
            highlight=False,
        )
        return TerminalView(console, title="🐈 nanobot", name="nanobot", **options)

    yield make


class Terminal:
    """A person at a terminal in which the scripted bot runs."""

    def __init__(self, folder: Path, *flags: str, columns: int, rows: int, **env: str) -> None:
        self.window = Window(columns, rows)
        self.raw = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")()
        self._master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        # The editor asks where the cursor is.
        self.window.screen.write_process_input = self.type
        plain = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
        self.process = subprocess.Popen(
            [sys.executable, str(SCRIPT), str(folder), *flags],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**plain, "TERM": "xterm-256color", "PYTHONIOENCODING": "utf-8", **env},
        )
        os.close(slave)

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    def wait_for(self, words: str) -> None:
        """Look at the screen until the words stand there."""
        while words not in self.window.text:
            assert self._read(), f"{words!r} did not appear:\n{self.window.text}"

    def prompt(self, words: str = "") -> None:
        """Wait for some words, and after them for the prompt on the last line."""
        self.wait_for(words)
        while self.window.lines()[-1:] != ["❯"]:
            assert self._read(), f"no prompt appeared:\n{self.window.text}"

    def ask(self, message: str, answer: str) -> None:
        """Send a message and wait for what should answer it."""
        self.prompt()
        self.type(f"{message}\r")
        self.wait_for(answer)

    def end(self) -> int:
        """Read to the end and return the exit status."""
        while self._read():
            pass
        return self.process.wait(20)

    def hang_up(self) -> None:
        """Close the window."""
        os.close(self._master)
        self._master = -1

    def close(self) -> None:
        if self._master >= 0:
            self.hang_up()
        self.process.kill()
        self.process.wait()

    def _read(self) -> bool:
        """Take in what is printed; False at the end, or when nothing comes for long."""
        if not select.select([self._master], [], [], 20)[0]:
            return False
        try:
            data = os.read(self._master, 65536)
        except OSError:  # the program has closed its side
            return False
        text = self._decoder.decode(data)
        self.raw += text
        self.window.feed(text)
        return bool(data)


@pytest.fixture
def open_terminal(tmp_path: Path) -> Iterator[Callable[..., Terminal]]:
    """Start the scripted bot in a terminal of its own."""
    opened: list[Terminal] = []

    def open_terminal(*flags: str, columns: int = 80, rows: int = 40, **env: str) -> Terminal:
        opened.append(Terminal(tmp_path, *flags, columns=columns, rows=rows, **env))
        return opened[-1]

    yield open_terminal
    for terminal in opened:
        terminal.close()
