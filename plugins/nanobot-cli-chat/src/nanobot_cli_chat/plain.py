"""The chat without a terminal: lines in, the answers on standard output, all else beside them."""

from __future__ import annotations

import asyncio
import codecs
import io
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import TextIO

from nanobot.events import (
    Notice,
    ReasoningDelta,
    StreamEnd,
    TextDelta,
    ToolFinished,
    ToolStarted,
    TurnEvent,
    TurnFinished,
)
from nanobot.log import redact

from nanobot_cli_chat.sanitize import clean
from nanobot_cli_chat.wording import call_label, call_line, ending, unsaid


class PlainView:
    """Writes a conversation as text without any control sequence.

    Args:
        answers: Gets what the agent says, and nothing else.
        remarks: Gets reasoning, tool calls, notices and errors.
    """

    def __init__(self, answers: TextIO, remarks: TextIO) -> None:
        self._answers = answers
        self._remarks = remarks
        self._open: TextIO | None = None
        """The stream whose last line is not ended yet."""
        self._calls: dict[str, str] = {}
        self._said: list[str] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Write a turn while it runs, and end its last line."""
        self._calls.clear()
        self._said.clear()
        try:
            yield
        finally:
            self._end_line()

    def show(self, event: TurnEvent) -> None:
        """Write what happened in the turn."""
        match event:
            case TextDelta():
                self._said.append(event.text)
                self._write(self._answers, event.text)
            case ReasoningDelta():
                self._write(self._remarks, event.text)
            case StreamEnd():
                self._end_line()
            case ToolStarted():
                self._calls[event.call.id] = call_label(event.call, event.arguments)
            case ToolFinished():
                label = self._calls.pop(event.call.id, "") or call_label(event.call, {})
                self.note(call_line(label, event))
            case Notice():
                self.warn(event.text)
            case TurnFinished():
                self._write(self._answers, unsaid(event, "".join(self._said)))
                if words := event.error or ending(event):
                    self.warn(words)
            case _:
                pass

    def note(self, text: str) -> None:
        """Say something in passing."""
        self._end_line()
        self._write(self._remarks, text)
        self._end_line()

    def warn(self, text: str) -> None:
        """Say something that should be noticed."""
        self.note(redact(text))

    def stopped(self) -> None:
        """Say that the turn was stopped, and what it did not finish."""
        for label in self._calls.values():
            self.note(f"✗ {label} stopped")
        self._calls.clear()
        self.warn("Stopped.")

    def fail(self, message: str) -> None:
        """Show an error with its remedy."""
        self.warn(message)

    def _write(self, stream: TextIO, text: str) -> None:
        if self._open not in {None, stream}:
            self._end_line()
        if text := clean(text):
            stream.write(text)
            stream.flush()
            self._open = None if text.endswith("\n") else stream

    def _end_line(self) -> None:
        if self._open:
            self._open.write("\n")
            self._open.flush()
            self._open = None


class LineReader:
    """Reads one line after another, without a thread that could not be stopped.

    Args:
        source: A pipe, a file, a terminal, or any other text stream.
    """

    def __init__(self, source: TextIO) -> None:
        self._lines = _lines(source)

    async def read(self) -> str | None:
        """Return the next line, None at the end."""
        return await anext(self._lines, None)

    def busy(self) -> nullcontext[None]:
        """Do nothing while a turn runs; what is typed is read afterwards."""
        return nullcontext()


async def _lines(source: TextIO) -> AsyncIterator[str]:
    try:
        descriptor = source.fileno()
    except io.UnsupportedOperation:  # a stream in memory
        for line in source:
            yield line
        return
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    while data := await _read(descriptor):
        *complete, rest = (rest + decoder.decode(data)).split("\n")
        for line in complete:
            yield line
    if rest:
        yield rest


async def _read(descriptor: int) -> bytes:
    """Return what is there to read, once there is something; empty at the end."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    try:
        loop.add_reader(descriptor, ready.set)
    except PermissionError:  # a file, which is always ready
        return os.read(descriptor, 65536)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
    return os.read(descriptor, 65536)
