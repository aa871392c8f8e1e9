"""The child: reads one page from standard input and writes what it says to standard output.

The first line is a JSON object with ``url``, ``mode`` and ``charset``; the page follows.
"""

from __future__ import annotations

import codecs
import html
import json
import re
import resource
import sys
from typing import Any

import trafilatura

MAX_BYTES = 1_500_000_000
MAX_SECONDS = 20
MAX_CHARS = 2_000_000
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_GONE = re.compile(r"(?is)<(script|style|noscript|template|svg)\b.*?(?:</\1\s*>|\Z)|<!--.*?-->")
_BREAK = re.compile(r"(?i)<(?:br|/p|/div|/h[1-6]|/li|/tr)\b[^<>]*>")
_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")


def read(page: bytes, url: str, mode: str, charset: str) -> dict[str, str]:
    """Return the text of a page and how it was found: by its structure, or all that there is."""
    source = decoded(page, charset)
    title, text = "", ""
    try:
        tree = trafilatura.load_html(source)
        if tree is not None:
            title = " ".join((tree.findtext(".//title") or "").split())
            text = article(tree, url, mode)
            if not text:
                text = trafilatura.html2txt(source)
        extractor = "readability" if text else "html"
    except Exception:  # whatever a hostile page makes the parser raise, its words are still there
        text = ""
    if not text:
        extractor = "html"
        text = stripped(source if isinstance(source, str) else source.decode("utf-8", "replace"))
    if title and title not in text[: len(title) + 200]:
        text = (f"# {title}\n\n" if mode == "markdown" else f"{title}\n\n") + text
    return {"text": text[:MAX_CHARS], "extractor": extractor}


def article(tree: Any, url: str, mode: str) -> str:
    """Return the main content of a page, empty when there is none."""
    found = trafilatura.extract(
        tree,
        url=url,
        output_format="markdown" if mode == "markdown" else "txt",
        include_links=mode == "markdown",
        include_formatting=mode == "markdown",
        include_tables=True,
        include_comments=True,
    )
    return str(found or "")


def decoded(page: bytes, charset: str) -> str | bytes:
    """Return a page as text when its charset is known, else let the parser find out.

    The parser would end at a NUL, so none is left.
    """
    charset = "utf-16" if page.startswith(_UTF16) else charset
    try:
        if charset:
            return page.decode(charset, "replace").replace("\0", "")
    except (LookupError, ValueError):
        pass
    return page.replace(b"\0", b"")


def stripped(source: str) -> str:
    """Return the text of a page without looking at its structure."""
    text = _TAG.sub("", _BREAK.sub("\n", _GONE.sub(" ", source)))
    lines = (" ".join(line.split()) for line in html.unescape(text).splitlines())
    return "\n".join(line for line in lines if line)


def main() -> None:
    """Read, within limits on memory and processor time."""
    resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    head = json.loads(sys.stdin.buffer.readline())
    said = read(sys.stdin.buffer.read(), head["url"], head["mode"], head["charset"])
    sys.stdout.buffer.write(json.dumps(said).encode())


if __name__ == "__main__":
    main()
