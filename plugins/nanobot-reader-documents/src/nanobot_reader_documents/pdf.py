"""The text of PDF files, by pypdf."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import BinaryIO

from pypdf import PageObject, PdfReader
from pypdf.errors import DependencyError, FileNotDecryptedError
from pypdf.generic import ArrayObject, StreamObject

from nanobot_reader_documents import ranges
from nanobot_reader_documents.archive import Refused

_AT_ONCE = 20
_MOST_FILTERS = 8
_MOST_CONTENT = 32 << 20  # bytes of one page, unpacked


def lines(file: BinaryIO, pages: str, notes: list[str]) -> Iterator[str]:
    """Yield the text of some pages."""
    logging.disable(logging.CRITICAL)
    if b"%PDF-" not in file.read(1024):
        raise Refused("is no PDF file")
    file.seek(0)
    reader = PdfReader(file, strict=False)
    try:
        if reader.is_encrypted and not reader.decrypt(""):
            raise Refused("is encrypted; ask the user for a copy without a password", "encrypted")
        total = len(reader.pages)
    except (DependencyError, FileNotDecryptedError):
        raise Refused("is encrypted", "encrypted") from None
    if not total:
        raise Refused("has no pages")
    read = ranges.chosen(pages, total, first=_AT_ONCE, what="page")
    notes.append(ranges.note(read, total, what="page"))
    broken = []
    for number in read:
        yield f"--- Page {number} ---"
        try:
            page = reader.pages[number - 1]
            _check_streams(page)
            yield from page.extract_text().splitlines()
        except (MemoryError, RecursionError, Refused):
            raise
        except Exception:
            broken.append(number)
    if len(broken) == len(read):
        raise Refused("has no page that can be read")
    if broken:
        notes.append(f"(Pages that could not be read: {', '.join(map(str, broken))}.)")


def _check_streams(page: PageObject) -> None:
    """Refuse a page that unpacks to too much; one that does not unpack raises here, not later."""
    contents = page.get("/Contents")
    found = contents.get_object() if contents is not None else None
    size = 0
    for item in found if isinstance(found, ArrayObject) else [found]:
        stream = item.get_object() if item is not None else None
        if not isinstance(stream, StreamObject):
            continue
        filters = stream.get("/Filter")
        if isinstance(filters, ArrayObject) and len(filters) > _MOST_FILTERS:
            raise Refused(f"packs a page in more than {_MOST_FILTERS} layers")
        size += len(stream.get_data())
        if size > _MOST_CONTENT:
            raise Refused("has a page that unpacks to too much", "too_large")
