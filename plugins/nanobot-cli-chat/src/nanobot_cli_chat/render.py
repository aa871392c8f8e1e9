"""The chat on a terminal: finished blocks are printed once, only the open one is drawn again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from time import monotonic

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
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.live import Live
from rich.segment import Segment
from rich.text import Text

from nanobot_cli_chat.document import Document
from nanobot_cli_chat.markdown import BlockSplitter, LineSplitter, Splitter
from nanobot_cli_chat.sanitize import clean
from nanobot_cli_chat.wording import call_label, call_line, ending, unsaid

_FRAME_S = 0.1
_SPINNER = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_TITLED = {"answer", "line", "reasoning", "tool"}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Stream:
    """A run of text that is still coming in.

    Args:
        kind: ``answer``, ``line`` (an answer shown raw) or ``reasoning``.
        splitter: Tells which part of it is finished.
        present: Turns a piece into something to print.
    """

    kind: str
    splitter: Splitter
    present: Callable[[str], RenderableType]


def _open_stream(kind: str) -> _Stream:
    if kind == "answer":
        return _Stream(kind=kind, splitter=BlockSplitter(), present=Document)
    present = _thought if kind == "reasoning" else _raw
    return _Stream(kind=kind, splitter=LineSplitter(), present=present)


def _raw(text: str) -> Text:
    return Text(text.removesuffix("\n"))


def _thought(text: str) -> Text:
    return Text(text.removesuffix("\n"), style="dim italic")


class TerminalView:
    """Shows a conversation on a terminal.

    Args:
        console: Where to print.
        title: Stands above each answer: icon and name.
        name: Who is said to be thinking.
        markdown: False to print answers as they were written.
        live: False to print finished blocks only, when log lines share the terminal.
    """

    def __init__(
        self, console: Console, *, title: str, name: str, markdown: bool = True, live: bool = True
    ) -> None:
        self._console = console
        self._title = Text(clean(title), style="bold")
        self._waiting = f"{clean(name)} is thinking…"
        self._markdown = markdown
        self._live = live
        self._running = False
        self._titled = True
        """The title stands above the answer, or there is none to come."""
        self._last = ""
        """Kind of what was printed last; decides where an empty line belongs."""
        self._screen: Live | None = None
        self._stream: _Stream | None = None
        self._calls: dict[str, str] = {}
        self._said: list[str] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Show a turn while it runs; at the end all that was said stands printed."""
        self._running, self._titled, self._last = True, False, "question"
        self._said.clear()
        with self._drawn():
            try:
                yield
            finally:
                self._end()
        self._console.print()

    @contextmanager
    def _drawn(self) -> Iterator[None]:
        """Keep the open part of the turn on the screen."""
        if not self._live:
            yield
            return
        with Live(_Region(self), console=self._console, auto_refresh=False) as self._screen:
            drawing = asyncio.create_task(self._keep_drawing())
            try:
                yield
            finally:
                drawing.cancel()
                self._screen = None

    async def _keep_drawing(self) -> None:
        while True:
            started = monotonic()
            self.draw()
            spent = monotonic() - started
            await asyncio.sleep(max(_FRAME_S, 5 * spent))  # drawing never takes most of the time

    def draw(self) -> None:
        """Draw again what is still open."""
        if self._screen:
            self._screen.refresh()

    def show(self, event: TurnEvent) -> None:
        """Show what happened in the turn."""
        match event:
            case TextDelta():
                self._said.append(event.text)
                self._write("answer" if self._markdown else "line", event.text)
            case ReasoningDelta():
                self._write("reasoning", event.text)
            case StreamEnd():
                self._close()
            case ToolStarted():
                self._close()
                self._calls[event.call.id] = call_label(event.call, event.arguments)
            case ToolFinished():
                self._close()
                label = self._calls.pop(event.call.id, "") or call_label(event.call, {})
                self._print("tool", Text(call_line(label, event), style="dim"))
            case Notice():
                self.warn(event.text)
            case TurnFinished():
                self._finish(event)
            case _:
                pass

    def note(self, text: str) -> None:
        """Say something in passing."""
        self._print("note", Text(clean(text), style="dim"))

    def warn(self, text: str) -> None:
        """Say something that should be noticed."""
        self._close()
        self._print("notice", Text(clean(redact(text)), style="dim yellow"))

    def stopped(self) -> None:
        """Show that the turn was stopped, and what it did not finish."""
        self._running = False
        self._close()
        for label in self._calls.values():
            self._print("tool", Text(f"✗ {label} stopped", style="dim"))
        self._calls.clear()
        self.warn("Stopped.")

    def fail(self, message: str) -> None:
        """Show an error; what stands after the first line is the remedy."""
        self._close()
        fault, _, remedy = clean(redact(message)).strip().partition("\n")
        self._print("error", Text(fault, style="red"))
        if remedy:
            self._print("error", Text(remedy))

    def open_parts(self, rows: int, columns: int) -> list[RenderableType]:
        """Return what may still change: the open block, running tools, or who is thinking."""
        if stream := self._stream:
            tail = stream.splitter.tail(rows, columns)
            return [*self._lead(stream.kind), stream.present(tail)] if tail.strip() else []
        if not self._running:
            return []
        frame = _SPINNER[int(monotonic() / _FRAME_S) % len(_SPINNER)]
        labels = list(self._calls.values())
        parts = self._lead("tool" if labels else "waiting")
        for label in labels or [self._waiting]:
            parts.append(Text(f"{frame} {label}", style="dim", no_wrap=True))
        return parts

    def _lead(self, kind: str) -> list[RenderableType]:
        """Return what belongs between what was printed last and something of the given kind."""
        lead: list[RenderableType] = []
        if self._last and (kind != self._last or kind == "answer"):
            lead.append(Text())
        if not self._titled and kind in _TITLED:
            lead.append(self._title)
        return lead

    def _print(self, kind: str, body: RenderableType) -> None:
        lead = self._lead(kind)
        self._titled = self._titled or self._title in lead
        self._last = kind
        # Raw lines are not wrapped here, so that they can be copied as they are.
        self._console.print(Group(*lead, body), soft_wrap=kind == "line")

    def _write(self, kind: str, text: str) -> None:
        if self._stream is None or self._stream.kind != kind:
            self._close()
            self._stream = _open_stream(kind)
        self._settle(self._stream, self._stream.splitter.feed(clean(text)))

    def _settle(self, stream: _Stream, pieces: list[str]) -> None:
        """Print pieces that can no longer change."""
        for piece in pieces:
            if piece.strip() or (stream.kind != "answer" and self._last == stream.kind):
                self._print(stream.kind, stream.present(piece))

    def _close(self) -> None:
        """Print the rest of a run of text."""
        if stream := self._stream:
            self._stream = None
            self._settle(stream, stream.splitter.finish())

    def _finish(self, event: TurnFinished) -> None:
        self._running = False
        self._close()
        if rest := unsaid(event, "".join(self._said)):
            self._write("answer" if self._markdown else "line", rest)
        if event.error:
            self.fail(event.error)
        elif words := ending(event):
            self.warn(words)

    def _end(self) -> None:
        self._running = False
        self._calls.clear()
        self._close()
        self._titled, self._last = True, ""


class _Region:
    """The part of the screen that is drawn again and again: the last lines of what is open."""

    def __init__(self, view: TerminalView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = max(1, console.height - 2)
        body = Group(*self._view.open_parts(rows, console.width))
        inside = options.update(height=None, no_wrap=False, overflow="fold")
        for line in console.render_lines(body, inside, pad=False)[-rows:]:
            yield from line
            yield Segment.line()
