"""Documents that are made to do harm end in a clear error, soon, and within bounds."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from typing import Any

import pytest

CONTENT_TYPES = """<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="xml" ContentType="application/xml"/></Types>"""
BODY = b"<w:body>"


def in_body(build: Any, content: bytes) -> bytes:
    """Return a Word file with a content put into its body."""

    def change(name: str, data: bytes) -> bytes:
        return data.replace(BODY, BODY + content, 1) if name == "word/document.xml" else data

    return bytes(build.rezipped(build.docx(), change))


def huge_member(build: Any) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(build.docx())) as old,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as new,
    ):
        for name in old.namelist():
            if name == "word/document.xml":
                with new.open(name, "w", force_zip64=True) as part:
                    for _ in range(160):
                        part.write(b" " * (1 << 20))
            else:
                new.writestr(name, old.read(name))
    return out.getvalue()


def lying_size(build: Any) -> bytes:
    """Return an archive whose directory claims a small document."""
    data = bytearray(in_body(build, b"<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 100_000))
    with zipfile.ZipFile(io.BytesIO(bytes(data))) as archive:
        member = archive.getinfo("word/document.xml")
    at = data.rfind(b"PK\x01\x02", 0, data.rfind(b"word/document.xml"))
    struct.pack_into("<I", data, at + 24, 100)
    struct.pack_into("<I", data, member.header_offset + 22, 100)
    return bytes(data)


def with_doctype(build: Any, declaration: bytes, use: bytes) -> bytes:
    def change(name: str, data: bytes) -> bytes:
        if name != "word/document.xml":
            return data
        data = data.replace(b"<w:document", declaration + b"<w:document", 1)
        return data.replace(BODY, BODY + b"<w:p><w:r><w:t>" + use + b"</w:t></w:r></w:p>", 1)

    return bytes(build.rezipped(build.docx(), change))


def laughs() -> bytes:
    lines = [b'<!ENTITY a0 "ha">']
    lines += [b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10) for n in range(1, 20)]
    return b"<!DOCTYPE x [" + b"".join(lines) + b"]>"


def sheet_with(build: Any, old: bytes, new: bytes) -> bytes:
    def change(name: str, data: bytes) -> bytes:
        return data.replace(old, new, 1) if name == "xl/worksheets/sheet1.xml" else data

    return bytes(build.rezipped(build.xlsx(), change))


def many_slides(build: Any) -> bytes:
    return bytes(
        build.rezipped(
            build.pptx(),
            lambda name, data: data,
            **{f"ppt/slides/slide{n}.xml": b"<p/>" for n in range(3, 50_003)},
        )
    )


def pdf_with(*objects: bytes, trailer: bytes = b"") -> bytes:
    out = bytearray(b"%PDF-1.7\n")
    places = []
    for number, content in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<</Size %d/Root 1 0 R%s>>\n" % (len(objects) + 1, trailer)
    return bytes(out + b"startxref\n%d\n%%%%EOF\n" % start)


def pdf_of(stream: bytes, filters: bytes) -> bytes:
    return pdf_with(
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<<>>>>",
        b"<</Length %d/Filter[%s]>>stream\n%s\nendstream" % (len(stream), filters, stream),
    )


def nested_filters() -> bytes:
    stream = b" " * (200 << 20)
    for _ in range(3):
        stream = zlib.compress(stream, 9)
    return pdf_of(stream, b"/FlateDecode" * 3)


def chain_of_filters() -> bytes:
    stream = b"BT (x) Tj ET"
    for _ in range(200):
        stream = stream.hex().encode() + b">" if len(stream) < 1 << 22 else stream
    return pdf_of(stream, b"/ASCIIHexDecode" * 200)


def page_loop() -> bytes:
    return pdf_with(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[2 0 R]/Count 1>>")


def xref_loop() -> bytes:
    data = pdf_with(b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[]/Count 0>>")
    at = data.rindex(b"startxref\n") + 10
    start = data[at:].split(b"\n")[0]
    return data.replace(b"/Root 1 0 R", b"/Root 1 0 R/Prev " + start)


Make = Callable[[Any], bytes]
BOMBS: dict[str, tuple[Make, str]] = {
    "member.docx": (huge_member, "error"),
    "paragraphs.docx": (
        lambda b: in_body(b, b"<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 1_500_000),
        "error",
    ),
    "external.docx": (
        lambda b: with_doctype(
            b, b'<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>', b"&e;"
        ),
        "error",
    ),
    "laughs.docx": (lambda b: with_doctype(b, laughs(), b"&a19;"), "error"),
    "parameter.docx": (
        lambda b: with_doctype(b, b'<!DOCTYPE x SYSTEM "http://127.0.0.1:9/x">', b"x"),
        "error",
    ),
    "tables.docx": (
        lambda b: in_body(
            b, b"<w:tbl><w:tr><w:tc>" * 3_000 + b"<w:p/>" + b"</w:tc></w:tr></w:tbl>" * 3_000
        ),
        "error",
    ),
    "lying.docx": (lying_size, "error"),
    "slip.docx": (
        lambda b: b.rezipped(b.docx(), lambda name, data: data, **{"../../x": b"x"}),
        "error",
    ),
    "ole.docx": (lambda b: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5_000, "encrypted"),
    "dimension.xlsx": (
        lambda b: sheet_with(b, b'ref="A1:B4"', b'ref="A1:XFD1048576"'),
        "tea",
    ),
    "far.xlsx": (lambda b: sheet_with(b, b'r="B4"', b'r="XFD1048576"'), "any"),
    "entities.xlsx": (
        lambda b: sheet_with(b, b"<worksheet", laughs() + b"<worksheet"),
        "error",
    ),
    "slides.pptx": (many_slides, "error"),
    "filters.pdf": (lambda b: nested_filters(), "error"),
    "chain.pdf": (lambda b: chain_of_filters(), "error"),
    "pages.pdf": (lambda b: page_loop(), "error"),
    "xref.pdf": (lambda b: xref_loop(), "error"),
    "password.pdf": (lambda b: b.pdf("secret", password="swordfish"), "encrypted"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str, build: Any, read: Any) -> None:
    make, expected = BOMBS[name]
    data = make(build)
    answer = read(name, data)
    if expected == "any":
        return
    if expected in ("error", "encrypted"):
        assert isinstance(answer, Exception), answer.text[:200]
        assert name in answer.message and "root:" not in answer.message
        assert expected == "error" or answer.kind == "encrypted"
    else:
        assert expected in answer.text


def test_memory_is_bounded(build: Any, read: Any) -> None:
    data = in_body(build, b"<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 150_000)
    refusal = read("a.docx", data, memoryMegabytes=64, cpuSeconds=60, seconds=100)
    assert refusal.kind == "too_large"
    assert "memory" in refusal.message


def test_processor_time_is_bounded(build: Any, read: Any) -> None:
    data = in_body(build, b"<w:p><w:r><w:t>x</w:t></w:r></w:p>" * 300_000)
    refusal = read("a.docx", data, memoryMegabytes=4096, cpuSeconds=1, seconds=100)
    assert refusal.kind == "timeout"


def test_text_is_bounded(build: Any, read: Any) -> None:
    text = b"<w:p><w:r><w:t>" + b"x" * 999 + b"</w:t></w:r></w:p>"
    extract = read("a.docx", in_body(build, text * 3_000), cpuSeconds=60, seconds=100)
    assert len(extract.text) <= 2_000_000
    assert "Only the first 2,000,000 characters" in extract.note
