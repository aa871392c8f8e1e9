"""Registers the reader of documents."""

from __future__ import annotations

from nanobot import hookimpl
from nanobot_tool_files.specs import ReaderSpec

from nanobot_reader_documents.config import DocumentsConfig


@hookimpl
def nanobot_reader() -> tuple[ReaderSpec, ...]:
    """Return the reader."""
    return (
        ReaderSpec(
            name="documents",
            factory="nanobot_reader_documents.reader:open_reader",
            config=DocumentsConfig,
            title="PDF, Word, Excel, PowerPoint",
            suffixes=(".pdf", ".docx", ".xlsx", ".xlsm", ".pptx"),
        ),
    )
