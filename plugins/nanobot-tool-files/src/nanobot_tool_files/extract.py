"""The contract of a reader of documents, for plugins of kind ``reader``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import BinaryIO, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class ExtractRequest:
    """A file to be shown as text.

    Args:
        path: Its name, for messages; it must not be opened by it.
        file: The file, open at its start. It stays the caller's.
        size: Its size in bytes.
        pages: Which parts the model asks for: ``3``, ``1-5``, a sheet's name; empty for the first.
    """

    path: str
    file: BinaryIO = field(repr=False)
    size: int
    pages: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Extract:
    """The text of a file.

    Args:
        text: Lines of text.
        note: What was left out and how to get at it; empty when this is all.
    """

    text: str
    note: str = ""


class DocumentReader(Protocol):
    """What a `ReaderSpec` factory opens."""

    async def read(self, request: ExtractRequest) -> Extract:
        """Return the text of a file; a `nanobot.errors.ToolError` says why it can not be read.

        The file comes from anywhere and may be made to do harm: parse it where it can be stopped,
        with a bound on memory and time. A cancelled call must leave nothing running.
        """
        ...
