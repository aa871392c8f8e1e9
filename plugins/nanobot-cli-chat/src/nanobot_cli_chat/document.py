"""Markdown as a chat in a terminal wants it: nothing hidden, nothing padded, any background."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, cast

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, MarkdownElement
from rich.segment import Segment
from rich.syntax import Syntax
from rich.theme import Theme

from nanobot_cli_chat.sanitize import clean

# HTML, pictures and link definitions stay visible as they were written: what a renderer would
# leave out could hide something from the reader.
_PARSER = (
    MarkdownIt("commonmark", {"html": False})
    .enable(["strikethrough", "table"])
    .disable(["autolink", "html_block", "html_inline", "image", "reference"])
)

THEME = Theme(
    {
        "markdown.h1": "bold underline",
        "markdown.h2": "bold underline",
        "markdown.h3": "bold",
        "markdown.h4": "bold",
        "markdown.h5": "bold",
        "markdown.h6": "bold",
        "markdown.code": "cyan",
        "markdown.code_block": "none",
        "markdown.block_quote": "italic",
        "markdown.hr": "dim",
        "markdown.item.bullet": "dim",
        "markdown.item.number": "dim",
        "markdown.link": "none",
        "markdown.link_url": "underline",
        "markdown.table.border": "dim",
        "markdown.table.header": "bold",
    }
)
"""Colours that can be read on dark and on light backgrounds."""


class _LeftHeading(Heading):
    LEVEL_ALIGN: ClassVar[dict[str, JustifyMethod]] = {}


class _FlushCode(CodeBlock):
    """Code without a margin, so that what is copied from the screen can be run."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = Syntax("", self.lexer_name, theme=self.theme, word_wrap=True).highlight(
            self.text.plain
        )
        text.rstrip()
        if self.lexer_name == "text":
            text.stylize("markdown.code")
        yield text


class Document(Markdown):
    """A piece of markdown.

    Line breaks are kept, link addresses are shown, and code is coloured with the terminal's own
    palette.
    """

    elements: ClassVar[dict[str, type[MarkdownElement]]] = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _FlushCode,
        "code_block": _FlushCode,
    }

    def __init__(self, markup: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=False)
        self.markup = markup
        self.parsed = list(_visible(_PARSER.parse(markup)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Render without the blanks around it, which break when a window is narrowed."""
        begun = False
        empty = 0
        segments = cast("Iterable[Segment]", super().__rich_console__(console, options))
        for line in Segment.split_lines(segments):
            if kept := _trimmed(line):
                yield from [Segment.line()] * empty
                yield from kept
                yield Segment.line()
                begun, empty = True, 0
            else:
                empty += begun


def _trimmed(line: list[Segment]) -> list[Segment]:
    """Return the line without the blanks at its end."""
    while line and not line[-1].text.strip(" "):
        line.pop()
    if line:
        text, style, control = line.pop()
        line.append(Segment(text.rstrip(" "), style, control))
    return line


def _visible(tokens: Iterable[Token]) -> Iterable[Token]:
    """Keep line breaks, and clean what entities such as ``&#x202e;`` were decoded to."""
    for token in tokens:
        for child in token.children or ():
            child.content = clean(child.content)
            if child.type == "softbreak":
                child.type = "hardbreak"
        yield token
