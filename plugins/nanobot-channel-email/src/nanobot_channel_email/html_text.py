"""Turns HTML into text: nothing is fetched, nothing is run, and what is hidden is left out."""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

_SILENT = {"script", "style", "head", "title", "template", "noscript", "svg", "math", "object"}
_SILENT |= {"iframe", "select", "textarea", "audio", "video", "canvas", "-comment"}
_BLOCKS = {"p", "div", "table", "tr", "ul", "ol", "blockquote", "pre", "section", "article", "form"}
_BLOCKS |= {"h1", "h2", "h3", "h4", "h5", "h6", "header", "footer", "address", "dl", "dt", "dd"}
_BEFORE = {"br": "\n", "hr": "\n", "li": "\n- ", "td": " ", "th": " ", "p": "\n\n"}
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0", re.IGNORECASE)


def html_text(source: str) -> str:
    """Return what a person would read of an HTML page, links with their addresses."""
    out: list[str] = []
    root = LexborHTMLParser(source).root
    # What is still to do, the next last: nodes to enter, and texts to put behind them. There is no
    # recursion: mails may be nested to any depth.
    work: list[tuple[LexborNode | None, str]] = [(root, "")]
    while work:
        node, after = work.pop()
        if node is None:
            out.append(after)
            continue
        if node.next is not None and node is not root:
            work.append((node.next, ""))
        tag = node.tag or ""
        if tag == "-text":
            text = node.text_content or ""
            out.append(text if _is_literal(node) else re.sub(r"\s+", " ", text))
        elif not _is_silent(node, tag):
            out.append(_BEFORE.get(tag, "\n" if tag in _BLOCKS else ""))
            out.append(_picture(node) if tag == "img" else "")
            work.append((None, _behind(node, tag)))
            if node.child is not None:
                work.append((node.child, ""))
    lines = (line.strip(" \t") for line in "".join(out).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).replace("\x00", "").strip()


def _is_silent(node: LexborNode, tag: str) -> bool:
    if tag in _SILENT:
        return True
    given = node.attributes
    return "hidden" in given or bool(_HIDDEN.search(given.get("style") or ""))


def _is_literal(node: LexborNode) -> bool:
    return node.parent is not None and node.parent.tag == "pre"


def _picture(node: LexborNode) -> str:
    alternative = (node.attributes.get("alt") or "").strip()
    return f"[{alternative}]" if alternative else ""


def _behind(node: LexborNode, tag: str) -> str:
    if tag == "a":
        address = (node.attributes.get("href") or "").strip()
        shown = node.text(deep=True).strip()
        if address.lower().startswith(("http://", "https://")) and address != shown:
            return f" ({address})"
    return "\n" if tag in _BLOCKS else ""
