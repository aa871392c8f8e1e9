"""The text of Word files, by python-docx."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import BinaryIO

from docx import Document
from docx.table import Table, _Cell
from docx.text.paragraph import Paragraph

from nanobot_reader_documents.archive import check_archive

_MOST_CELLS = 100_000
_MOST_DEPTH = 8
_HEADING = re.compile(r"Heading([1-6])")


def lines(file: BinaryIO, notes: list[str]) -> Iterator[str]:
    """Yield paragraphs and the rows of tables, in the order of the document."""
    check_archive(file, whole=True)
    document = Document(file)
    cells = 0
    for block in document.iter_inner_content():
        if isinstance(block, Paragraph):
            yield _paragraph(block)
            continue
        for row, count in _rows(block, 1):
            cells += count
            if cells > _MOST_CELLS:
                notes.append(f"(Only the first {_MOST_CELLS:,} cells of tables were read.)")
                return
            yield row


def _paragraph(paragraph: Paragraph) -> str:
    heading = _HEADING.fullmatch(paragraph._p.style or "")
    mark = "#" * int(heading[1]) + " " if heading else ""
    return mark + paragraph.text


def _rows(table: Table, depth: int) -> Iterator[tuple[str, int]]:
    for row in table.rows:
        texts = []
        before = None
        for cell in row.cells:
            if cell._tc is not before:  # a merged cell shows up once for each column
                texts.append(_cell(cell, depth))
            before = cell._tc
        yield "\t".join(texts), len(texts)


def _cell(cell: _Cell, depth: int) -> str:
    parts = []
    for block in cell.iter_inner_content():
        if isinstance(block, Paragraph):
            parts.append(block.text)
        elif depth < _MOST_DEPTH:
            parts += [row.replace("\t", " | ") for row, _ in _rows(block, depth + 1)]
    return " ".join(part.replace("\n", " ") for part in parts if part)
