"""Checks of office files before a library sees them: they are ZIP archives full of XML."""

from __future__ import annotations

import zipfile
from typing import IO, BinaryIO
from xml.parsers import expat

_MOST_MEMBERS = 10_000
_MOST_MEMBER = 128 << 20  # bytes, unpacked
_MOST_TOTAL = 256 << 20
_MOST_ELEMENTS = 1_000_000
_MOST_DEPTH = 200
_PIECE = 1 << 16
_OLE = b"\xd0\xcf\x11\xe0"


class Refused(Exception):
    """Report a document that is not read.

    Args:
        why: What is wrong with it, as the end of a sentence that begins with its name.
        kind: A word for policy.
    """

    def __init__(self, why: str, kind: str = "bad_content") -> None:
        super().__init__(why)
        self.why = why
        self.kind = kind


class _RootSeen(Exception):
    """End a look at the head of an XML file."""


def check_archive(file: BinaryIO, *, whole: bool) -> None:
    """Refuse archives that unpack to too much, and XML that is made to do harm.

    Args:
        file: The document, at its start again after.
        whole: Count elements and levels too, for libraries that keep the whole tree in memory.
    """
    head = file.read(4)
    if head == _OLE:
        raise Refused("is encrypted, or in the format of Office before 2007", "encrypted")
    file.seek(0)
    with zipfile.ZipFile(file) as archive:
        members = archive.infolist()
        if len(members) > _MOST_MEMBERS:
            raise Refused(f"holds more than {_MOST_MEMBERS:,} parts", "too_large")
        total = sum(member.file_size for member in members)
        if total > _MOST_TOTAL or any(member.file_size > _MOST_MEMBER for member in members):
            raise Refused("unpacks to too much", "too_large")
        if any(member.flag_bits & 1 for member in members):
            raise Refused("is encrypted", "encrypted")
        for member in members:
            if ".." in member.filename.split("/") or member.filename.startswith("/"):
                raise Refused("holds parts with names that lead out of it")
            if member.filename.lower().endswith((".xml", ".rels", ".vml")):
                with archive.open(member) as part:
                    _check_xml(part, whole=whole)
    file.seek(0)


def _check_xml(part: IO[bytes], *, whole: bool) -> None:
    depth = elements = 0

    def start(name: str, attributes: object) -> None:
        nonlocal depth, elements
        if not whole:
            raise _RootSeen
        depth += 1
        elements += 1
        if depth > _MOST_DEPTH:
            raise Refused(f"nests its parts more than {_MOST_DEPTH} levels deep")
        if elements > _MOST_ELEMENTS:
            raise Refused(f"has a part of more than {_MOST_ELEMENTS:,} elements", "too_large")

    def end(name: str) -> None:
        nonlocal depth
        depth -= 1

    def doctype(*declaration: object) -> None:
        raise Refused("declares XML entities, which no office program does")

    parser = expat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = doctype
    try:
        while piece := part.read(_PIECE):
            parser.Parse(piece, False)
        parser.Parse(b"", True)
    except _RootSeen:
        return
