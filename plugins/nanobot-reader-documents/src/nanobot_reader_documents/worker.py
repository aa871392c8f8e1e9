"""The process that parses one document: standard input is the file, standard output the answer.

Started by `nanobot_reader_documents.reader`; it sees no name, no environment and no secret.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from nanobot_reader_documents.archive import Refused
from nanobot_reader_documents.sealing import seal

_MOST_CHARS = 2_000_000
_XML_NO_MEMORY = 2  # how libxml2 reports it: as a fault of the text
_TOO_LARGE = {"error": "too_large", "message": "needs more memory than a document may"}
_BROKEN = "is damaged, or no such document"


def main(task: dict[str, Any]) -> dict[str, str]:
    """Return the text of the document, or what is wrong with it."""
    seal(task["memory"], task["cpu_s"])
    try:
        with os.fdopen(0, "rb") as file:
            return _bounded(*_read(task["format"], file, task["pages"]))
    except Refused as refused:
        return {"error": refused.kind, "message": refused.why}
    except MemoryError:
        return _TOO_LARGE
    except RecursionError:
        return {"error": "bad_content", "message": "nests its parts too deep"}
    except Exception as error:  # the libraries raise nearly everything on broken input
        if getattr(error, "code", None) == _XML_NO_MEMORY:
            return _TOO_LARGE
        return {"error": "bad_content", "message": _BROKEN}


def _read(ending: str, file: BinaryIO, pages: str) -> tuple[Iterator[str], list[str]]:
    """Return the lines of a document, and a list that will hold what is to be said of them."""
    notes: list[str] = []
    if ending == ".pdf":
        from nanobot_reader_documents import pdf

        return pdf.lines(file, pages, notes), notes
    if ending.startswith(".doc"):
        from nanobot_reader_documents import word

        return word.lines(file, notes), notes
    if ending.startswith(".xls"):
        from nanobot_reader_documents import sheets

        return sheets.lines(file, pages, notes), notes
    from nanobot_reader_documents import slides

    return slides.lines(file, pages, notes), notes


def _bounded(lines: Iterator[str], notes: list[str]) -> dict[str, str]:
    out = io.StringIO()
    for line in lines:
        if out.tell() + len(line) > _MOST_CHARS:
            notes.append(f"(Only the first {_MOST_CHARS:,} characters were read; narrow pages.)")
            break
        out.write(line)
        out.write("\n")
    return {"text": out.getvalue(), "note": "\n".join(notes)}


if __name__ == "__main__":
    answer = json.dumps(main(json.loads(sys.argv[1])))
    sys.stdout.write(answer)
    sys.stdout.flush()
    os._exit(0)  # what a document left behind in memory needs no tidying
