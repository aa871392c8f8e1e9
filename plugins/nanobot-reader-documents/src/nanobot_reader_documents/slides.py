"""The text of PowerPoint files, by python-pptx."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

from pptx import Presentation

from nanobot_reader_documents import ranges
from nanobot_reader_documents.archive import check_archive

_AT_ONCE = 100
_MOST_DEPTH = 8


def lines(file: BinaryIO, pages: str, notes: list[str]) -> Iterator[str]:
    """Yield the texts, tables and notes of some slides."""
    check_archive(file, whole=True)
    slides = list(Presentation(file).slides)
    if not slides:
        return
    read = ranges.chosen(pages, len(slides), first=_AT_ONCE, what="slide")
    notes.append(ranges.note(read, len(slides), what="slide"))
    for number in read:
        slide = slides[number - 1]
        yield f"--- Slide {number} ---"
        yield from _texts(slide.shapes, 1)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
            text = slide.notes_slide.notes_text_frame.text
            if text:
                yield f"[notes] {text}"


def _texts(shapes: Iterable[Any], depth: int) -> Iterator[str]:
    for shape in shapes:
        if shape.has_text_frame and shape.text_frame.text:
            yield shape.text_frame.text
        elif getattr(shape, "has_table", False) and shape.has_table:
            for row in shape.table.rows:
                yield "\t".join(cell.text.replace("\n", " ") for cell in row.cells)
        elif hasattr(shape, "shapes") and depth < _MOST_DEPTH:
            yield from _texts(shape.shapes, depth + 1)
