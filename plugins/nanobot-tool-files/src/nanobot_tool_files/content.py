"""Telling text from pictures and other bytes."""

from __future__ import annotations

import mimetypes
from pathlib import PurePosixPath

from nanobot.errors import ToolError

_LATIN_NAMES = """
    .asm .bas .bat .c .cc .cfg .cmd .conf .cpp .cs .css .csv .diff .f90 .go .h .hpp .htm .html .ini
    .java .js .json .jsx .log .lua .m .markdown .md .pas .patch .php .pl .po .properties .ps1 .py .r
    .rb .rs .rst .sh .sql .srt .svg .tex .toml .ts .tsv .tsx .txt .vb .vtt .xml .yaml .yml
"""
_LATIN = frozenset(_LATIN_NAMES.split())
_IMAGES = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
_DOCUMENTS = (".pdf", ".docx", ".xlsx", ".xlsm", ".pptx")
BOM = b"\xef\xbb\xbf"
HEAD = 8192  # bytes to look at before a file counts as text


def image_type(head: bytes) -> str:
    """Return the media type of a picture that vision models take, empty for anything else."""
    for magic, media_type in _IMAGES:
        if head.startswith(magic):
            return media_type
    return "image/webp" if head[:4] == b"RIFF" and head[8:12] == b"WEBP" else ""


def is_binary(head: bytes) -> bool:
    """Tell whether the start of a file is no text: no text encoding but UTF-16 has NUL bytes."""
    return b"\0" in head


def is_document(path: str) -> bool:
    """Tell whether a path names a document that is no text, even where it looks like one."""
    return PurePosixPath(path).suffix.lower() in _DOCUMENTS


def encoding_of(path: str, data: bytes) -> str:
    """Return the encoding of a text; ``binary`` is refused with a `ToolError`.

    Args:
        path: The file's name; old text formats may be Latin-1.
        data: The text, or a part of it that begins and ends between characters.
    """
    if not is_binary(data[:HEAD]):
        try:
            data.decode()
            return "utf-8"
        except UnicodeDecodeError:
            if PurePosixPath(path).suffix.lower() in _LATIN:
                return "latin-1"
    raise binary(path)


def binary(path: str) -> ToolError:
    """Return the refusal of a file that is no text."""
    media_type = mimetypes.guess_type(path)[0] or "application/octet-stream"
    remedy = (
        "the user can make such documents readable with: pip install nanobot-reader-documents"
        if is_document(path)
        else "this tool reads text, images and documents only"
    )
    return ToolError(
        f"'{path}' is a binary file ({media_type}), not text in UTF-8; {remedy}.",
        kind="binary",
        target=path,
    )


def encode(path: str, text: str, encoding: str = "utf-8") -> bytes:
    """Return the bytes of a text; a `ToolError` says which character can not be written."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        sign = ascii(text[error.start])
        raise ToolError(
            f"the text for '{path}' holds {sign} at position {error.start}, which {encoding} can "
            "not represent; nothing was written.",
            kind="bad_content",
            target=path,
        ) from None
