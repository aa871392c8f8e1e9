"""read_file: text in numbered pages, notebooks, documents, and images."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from typing import BinaryIO

from nanobot.context import Extension
from nanobot.errors import ToolError
from nanobot.messages import Image, ToolResult, Trust, Turn
from nanobot_security import Disk, Opened

from nanobot_tool_files.arguments import Arguments
from nanobot_tool_files.changes import MAX_FILE, short_view
from nanobot_tool_files.content import (
    BOM,
    HEAD,
    binary,
    encoding_of,
    image_type,
    is_binary,
    is_document,
)
from nanobot_tool_files.extract import Extract, ExtractRequest
from nanobot_tool_files.notebooks import MAX_NOTEBOOK, is_notebook, load, show
from nanobot_tool_files.seen import SeenFiles
from nanobot_tool_files.walking import Stop, check

MAX_IMAGE = 5 * 1024 * 1024
MAX_CHARS = 128_000
MAX_FRAMES = 500
DEFAULT_LINES = 2_000
_GIF_FRAME = b"\x21\xf9\x04"  # the graphic control extension, which precedes every frame
_CHUNK = 1 << 18
_MAX_LINE = 4 * MAX_CHARS  # bytes; UTF-8 takes at most four for a character


@dataclass(frozen=True, kw_only=True, slots=True)
class _Page:
    """Some lines of a file: where they end, how many lines the file has, and the text."""

    text: str
    last: int
    total: int


class Reader:
    """Serves read_file.

    Args:
        seen: What sessions have read.
    """

    def __init__(self, seen: SeenFiles) -> None:
        self._seen = seen

    def read(self, arguments: Arguments, turn: Turn, stop: Stop) -> ToolResult:
        """Read one page of a text file or notebook, or an image."""
        path = arguments.text("path")
        lines = _lines_asked(arguments)
        opened = Disk.of(turn.workspace).open(path)
        with opened.file:
            trust = Trust.TRUSTED if opened.inside else Trust.UNTRUSTED
            head = opened.file.peek(HEAD)[:HEAD]  # type: ignore[attr-defined]
            media_type = image_type(head)
            if media_type:
                return _image(path, opened, media_type, trust)
            if opened.stat.size > MAX_FILE:
                raise _too_large(path, opened.stat.size, MAX_FILE)
            if is_binary(head) or is_document(path):
                raise binary(path)
            if not head:
                return ToolResult.ok(f"(Empty file: {path})")
            view = _view(opened.file)
            text: BinaryIO = opened.file
            if is_notebook(path):
                text = BytesIO(show(load(path, opened.file.read(MAX_NOTEBOOK + 1))).encode())
            page = _read_page(path, text, *lines, stop)
        return self._answer(arguments, turn, page, view, trust)

    async def read_document(
        self, extension: Extension, arguments: Arguments, turn: Turn, stop: Stop
    ) -> ToolResult:
        """Read one page of the text that another plugin takes out of a file."""
        path = arguments.text("path")
        lines = _lines_asked(arguments)
        opened = await asyncio.to_thread(Disk.of(turn.workspace).open, path)
        with opened.file:
            if opened.stat.size > MAX_FILE:
                raise _too_large(path, opened.stat.size, MAX_FILE)
            view = await asyncio.to_thread(_view, opened.file)
            request = ExtractRequest(
                path=path,
                file=opened.file,
                size=opened.stat.size,
                pages=arguments.text("pages", "").strip(),
            )
            async with extension.open() as reader:
                extract: Extract = await reader.read(request)
        trust = Trust.TRUSTED if opened.inside else Trust.UNTRUSTED
        if not extract.text.strip():
            empty = f"(No text in {path}; it may hold pictures only.)"
            return ToolResult.ok("\n".join(filter(None, [empty, extract.note])), trust=trust)
        text = BytesIO(extract.text.encode(errors="replace"))
        page = await asyncio.to_thread(_read_page, path, text, *lines, stop)
        return self._answer(arguments, turn, page, view, trust, note=extract.note)

    def _answer(
        self,
        arguments: Arguments,
        turn: Turn,
        page: _Page,
        view: str,
        trust: Trust,
        *,
        note: str = "",
    ) -> ToolResult:
        path = arguments.text("path")
        part = (*_lines_asked(arguments), arguments.text("pages", ""))
        if self._seen.note_page(turn, path, view, part) and not arguments.flag("force"):
            return ToolResult.ok(
                f"[File unchanged since last read: {path}. Use force=true to see it again.]"
            )
        footer = _footer(page, _lines_asked(arguments)[0])
        more = f"{note}\n" if note else ""
        return ToolResult.ok(f"{page.text}\n\n{more}[view {view}] {footer}", trust=trust)


def _lines_asked(arguments: Arguments) -> tuple[int, int]:
    """Return the first line and the number of lines."""
    first = arguments.number("offset", 1, least=1)
    return first, arguments.number("limit", DEFAULT_LINES, least=1)


def _view(file: BinaryIO) -> str:
    """Name the whole content of a file; it is at its start again after."""
    state = hashlib.sha256()
    file.seek(0)
    while piece := file.read(_CHUNK):
        state.update(piece)
    file.seek(0)
    return short_view(state.hexdigest())


def _image(path: str, opened: Opened, media_type: str, trust: Trust) -> ToolResult:
    if opened.stat.size > MAX_IMAGE:
        raise _too_large(path, opened.stat.size, MAX_IMAGE)
    data = opened.file.read(MAX_IMAGE)
    if media_type == "image/gif" and data.count(_GIF_FRAME) > MAX_FRAMES:
        raise ToolError(
            f"'{path}' is an animation of more than {MAX_FRAMES} frames; it is not sent to a "
            "model. Use a command that takes out single frames.",
            kind="too_large",
            target=path,
        )
    picture = Image(data=data, media_type=media_type, name=path, trust=trust)
    return ToolResult.ok(f"(Image file: {path}, {media_type}, {len(data):,} bytes)", picture)


def _too_large(path: str, size: int, limit: int) -> ToolError:
    return ToolError(
        f"'{path}' has {size:,} bytes; at most {limit:,} can be read. "
        "Use a command that cuts out the part you need.",
        kind="too_large",
        target=path,
    )


def _footer(page: _Page, offset: int) -> str:
    if page.last >= page.total:
        return f"(End of file — {page.total} lines total)"
    return (
        f"(Showing lines {offset}-{page.last} of {page.total}. "
        f"Use offset={page.last + 1} to continue.)"
    )


def _read_page(path: str, file: BinaryIO, offset: int, limit: int, stop: Stop) -> _Page:
    lines = _lines(file, stop)
    skipped = sum(1 for _ in islice(lines, offset - 1))
    raw: list[bytes] = []
    size = 0
    for line in islice(lines, limit):
        raw.append(line)
        size += len(line)
        if size > _MAX_LINE:
            break
    if not raw:
        raise ToolError(
            f"offset {offset} is beyond the end of '{path}', which has {skipped} lines.",
            kind="out_of_range",
            target=path,
        )
    if offset == 1:
        raw[0] = raw[0].removeprefix(BOM)
    data = b"\n".join(raw)
    shown = _number(data.decode(encoding_of(path, data)).split("\n"), offset)
    total = skipped + len(raw) + sum(1 for _ in lines)
    return _Page(text="\n".join(shown), last=offset + len(shown) - 1, total=total)


def _lines(file: BinaryIO, stop: Stop) -> Iterator[bytes]:
    """Yield lines without their ends; the rest of one that is longer than a page is left out."""
    for number, line in enumerate(iter(lambda: file.readline(_MAX_LINE), b"")):
        if number % 10_000 == 0:
            check(stop)
        if line.endswith(b"\n"):
            yield line[:-1].removesuffix(b"\r")
            continue
        rest = line
        while rest and not rest.endswith(b"\n"):
            check(stop)
            rest = file.readline(_CHUNK)
        yield _whole_characters(line)


def _whole_characters(line: bytes) -> bytes:
    """Take away a character that was cut at the end."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        if error.start >= len(line) - 3 and error.reason == "unexpected end of data":
            return line[: error.start]
    return line


def _number(lines: list[str], offset: int) -> list[str]:
    """Number lines, as many as fit; a first line that does not fit is cut."""
    shown: list[str] = []
    room = MAX_CHARS
    for number, line in enumerate(lines, offset):
        text = f"{number}| {line}"
        if len(text) + 1 > room:
            if not shown:
                shown.append(f"{text[:room]}\n(Line {number} is cut; it is longer than a page.)")
            break
        room -= len(text) + 1
        shown.append(text)
    return shown
