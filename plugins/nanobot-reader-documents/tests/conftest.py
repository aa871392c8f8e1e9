"""Documents that are built for the tests; no binary is stored."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from docx import Document
from nanobot.errors import ToolError
from nanobot_testing import load_spec, open_spec, run
from nanobot_tool_files.extract import ExtractRequest
from openpyxl import Workbook
from pptx import Presentation
from pptx.util import Inches
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject


def make_pdf(*pages: str, password: str = "") -> bytes:
    """Return a PDF with a text on each page."""
    writer = PdfWriter()
    for text in pages:
        page = writer.add_blank_page(300, 300)
        font = DictionaryObject(
            {
                NameObject("/Type"): NameObject("/Font"),
                NameObject("/Subtype"): NameObject("/Type1"),
                NameObject("/BaseFont"): NameObject("/Helvetica"),
            }
        )
        fonts = DictionaryObject({NameObject("/F1"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
        stream = DecodedStreamObject()
        stream.set_data(f"BT /F1 12 Tf 10 200 Td ({text}) Tj ET".encode())
        page[NameObject("/Contents")] = writer._add_object(stream)
    if password:
        writer.encrypt(password, algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def make_docx() -> bytes:
    document = Document()
    document.add_heading("The title", 1)
    document.add_paragraph("First words.")
    table = document.add_table(2, 3)
    for number, cell in enumerate(cell for row in table.rows for cell in row.cells):
        cell.text = f"c{number}"
    table.cell(1, 0).merge(table.cell(1, 1)).text = "merged"
    table.cell(0, 2).add_table(1, 2).cell(0, 1).text = "inner"
    document.add_paragraph("Last words.")
    return saved(document)


def make_xlsx() -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.title = "Sums"
    sheet.append(["name", "amount"])
    sheet.append(["tea", 3.5])
    sheet["B4"] = "=SUM(B2:B3)"
    book.create_sheet("Empty")
    book.create_sheet("Other")["C2"] = "far\taway"
    return saved(book)


def make_pptx(slides: int = 2) -> bytes:
    show = Presentation()
    for number in range(1, slides + 1):
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.shapes.title.text = f"Slide title {number}"
        table = slide.shapes.add_table(1, 2, Inches(1), Inches(1), Inches(2), Inches(1)).table
        table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
        slide.notes_slide.notes_text_frame.text = f"say {number}"
    return saved(show)


def saved(document: Any) -> bytes:
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def rezipped(data: bytes, change: Callable[[str, bytes], bytes], **more: bytes) -> bytes:
    """Return an archive with its members changed, and others added."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, content in more.items():
            new.writestr(name, content)
    return out.getvalue()


class Build:
    """The builders, for tests in other files."""

    pdf = staticmethod(make_pdf)
    docx = staticmethod(make_docx)
    xlsx = staticmethod(make_xlsx)
    pptx = staticmethod(make_pptx)
    rezipped = staticmethod(rezipped)


@pytest.fixture
def build() -> type[Build]:
    return Build


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Any]:
    """Return a function that reads bytes as a document: an extract, or the refusal."""

    def once(name: str, data: bytes, pages: str = "", **config: object) -> Any:
        path = tmp_path / name
        path.write_bytes(data)

        async def go() -> Any:
            spec = load_spec("reader.documents")
            async with open_spec(spec, config, tmp_path) as reader:
                with path.open("rb") as file:
                    request = ExtractRequest(path=name, file=file, size=len(data), pages=pages)
                    try:
                        return await reader.read(request)
                    except ToolError as refusal:
                        return refusal

        return run(go())

    return once
