"""The cells of Excel files, by openpyxl."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO

from openpyxl import load_workbook  # type: ignore[import-untyped]

from nanobot_reader_documents import ranges
from nanobot_reader_documents.archive import check_archive

_AT_ONCE = 50


def lines(file: BinaryIO, pages: str, notes: list[str]) -> Iterator[str]:
    """Yield the rows of some sheets; a formula stands where its value was never calculated."""
    check_archive(file, whole=False)
    values = load_workbook(file, read_only=True, data_only=True, keep_links=False)
    file.seek(0)
    formulas = load_workbook(file, read_only=True, keep_links=False)
    names = [sheet.title for sheet in values.worksheets]
    if pages in names:
        at = names.index(pages) + 1
        read = range(at, at + 1)
    else:
        read = ranges.chosen(pages, len(names), first=_AT_ONCE, what="sheet")
    if len(read) < len(names):
        notes.append(f"(Sheets: {', '.join(names[:_AT_ONCE])}. Name one in pages.)")
    for number in read:
        sheet, other = values.worksheets[number - 1], formulas.worksheets[number - 1]
        sheet.reset_dimensions()
        other.reset_dimensions()
        yield f"--- Sheet: {sheet.title} ---"
        for row in zip(
            sheet.iter_rows(values_only=True), other.iter_rows(values_only=True), strict=False
        ):
            text = "\t".join(_shown(*pair) for pair in zip(*row, strict=False)).rstrip("\t")
            if text:
                yield text


def _shown(value: Any, formula: Any) -> str:
    shown = formula if value is None else value
    return "" if shown is None else str(shown).replace("\t", " ").replace("\n", " ")
