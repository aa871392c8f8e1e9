"""Markdown as Telegram's HTML.

Telegram knows a handful of tags (https://core.telegram.org/bots/api#html-style) and refuses a
message with any other, or with tags that cross. What is written here is well-formed by
construction: each rule wraps the rendering of what it encloses, and all other text is escaped.
"""

from __future__ import annotations

import re
import unicodedata
from html import escape, unescape

_FENCE = re.compile(r"(?P<indent> *)(?P<mark>`{3,}|~{3,})\s*(?P<info>[^`]*)$")
_HEADING = re.compile(r" {0,3}#{1,6}\s+(?P<text>.+?)\s*#*\s*$")
_RULE = re.compile(r" {0,3}(?:(?:- *){3,}|(?:\* *){3,}|(?:_ *){3,})$")
_QUOTE = re.compile(r" {0,3}> ?")
_ITEM = re.compile(
    r"(?P<indent>\s*)(?P<mark>[-*+]|\d{1,9}[.)])\s+(?P<box>\[[ xX]\]\s+)?(?P<text>.*)$"
)
_DELIMITERS = re.compile(r"\s*\|?\s*:?-+:?\s*(?:\|\s*:?-+:?\s*)*\|?\s*$")
_CELL = re.compile(r"(?<!\\)\|")

_ATOM = re.compile(
    r"(?P<ticks>`+)(?P<code>(?!`).+?(?<!`))(?P=ticks)(?!`)"
    r"|\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|!?\[(?P<label>(?:[^\[\]\\]|\\.)*)\]"
    r"\(\s*<?(?P<link>(?:[^\s()<>\\]|\\.|\([^\s()]*\))+)>?(?:\s+(?:\"[^\"]*\"|'[^']*'))?\s*\)"
    r"|<(?P<auto>(?:https?|tg|mailto):[^\s<>]+)>"
    r"|(?P<bare>https?://[^\s<>*`]*[^\s<>*`.,;:!?'\")\]}~_])",
    re.DOTALL,
)
_EMPHASIS = re.compile(
    r"\*\*\*(?=\S)(?P<both>.+?)(?<=\S)\*\*\*"
    r"|\*\*(?=\S)(?P<bold>.+?)(?<=\S)\*\*(?!\*)"
    r"|(?<![\w_])__(?=\S)(?P<strong>.+?)(?<=\S)__(?![\w_])"
    r"|(?<![\w*])\*(?=[^\s*])(?P<star>.+?)(?<=[^\s*])\*(?![\w*])"
    r"|(?<![\w_])_(?=[^\s_])(?P<italic>.+?)(?<=[^\s_])_(?![\w_])"
    r"|~~(?=\S)(?P<strike>.+?)(?<=\S)~~",
    re.DOTALL,
)
_TAGS = {
    "both": ("<b><i>", "</i></b>"),
    "bold": ("<b>", "</b>"),
    "strong": ("<b>", "</b>"),
    "star": ("<i>", "</i>"),
    "italic": ("<i>", "</i>"),
    "strike": ("<s>", "</s>"),
}
_KEPT = re.compile("\x02(\\d+)\x03")
_TAG = re.compile(r"<[^>]*>")


def to_html(markdown: str) -> str:
    """Return markdown as HTML that Telegram accepts; a fence that is still open is closed."""
    text = whole(markdown).replace("\x02", "").replace("\x03", "")
    return _blocks(text.split("\n"), quoted=False).strip("\n")


def visible(html: str) -> str:
    """Return what a reader sees of rendered text; Telegram's limit counts this, not the tags."""
    return unescape(_TAG.sub("", html))


def length(text: str) -> int:
    """Return how long Telegram finds a text, in UTF-16 code units."""
    return len(text.encode("utf-16-le", "replace")) // 2


def whole(text: str) -> str:
    """Return a text that can be encoded: halves of surrogate pairs are joined or replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


# --- blocks ---------------------------------------------------------------------------------------


def _blocks(lines: list[str], *, quoted: bool) -> str:
    out: list[str] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if fence := _FENCE.match(line):
            at, block = _fenced(lines, at + 1, fence)
        elif _is_table(lines, at):
            at, block = _table(lines, at)
        elif not quoted and _QUOTE.match(line):
            at, block = _quote(lines, at)
        elif heading := _HEADING.match(line):
            at, block = at + 1, _heading(heading["text"])
        elif _RULE.match(line):
            at, block = at + 1, "─" * 12
        elif item := _ITEM.match(line):
            at, block = at + 1, _item(item)
        elif not line.strip():
            at, block = at + 1, ""
        else:
            at, block = _paragraph(lines, at, quoted)
        if block or (out and out[-1]):  # one blank line is enough
            out.append(block)
    return "\n".join(out)


def _fenced(lines: list[str], at: int, fence: re.Match[str]) -> tuple[int, str]:
    mark, indent = fence["mark"], len(fence["indent"])
    body: list[str] = []
    while at < len(lines):
        line = lines[at].strip()
        if len(line) >= len(mark) and not line.strip(mark[0]):
            at += 1
            break
        margin = len(lines[at]) - len(lines[at].lstrip(" "))
        body.append(lines[at][min(indent, margin) :])
        at += 1
    code = escape("\n".join(body), quote=False)
    if not code.strip():
        return at, ""
    language = re.match(r"[\w+#.-]+", fence["info"])
    if language:
        return at, f'<pre><code class="language-{language[0]}">{code}</code></pre>'
    return at, f"<pre>{code}</pre>"


def _quote(lines: list[str], at: int) -> tuple[int, str]:
    """Render a quotation; Telegram has none within another, so inner marks stay as written."""
    inner: list[str] = []
    while at < len(lines) and (mark := _QUOTE.match(lines[at])):
        inner.append(lines[at][mark.end() :])
        at += 1
    body = _blocks(inner, quoted=True).strip("\n")
    return at, f"<blockquote>{body}</blockquote>" if body else ""


def _heading(text: str) -> str:
    inner = _inline(text).replace("<b>", "").replace("</b>", "")  # it is bold as a whole
    return f"<b>{inner}</b>"


def _item(item: re.Match[str]) -> str:
    indent = "  " * (len(item["indent"].expandtabs(4)) // 2)
    mark = "•" if item["mark"] in "-*+" else item["mark"]
    if item["box"]:
        mark = "☑" if "x" in item["box"].lower() else "☐"
    return f"{indent}{mark} {_inline(item['text'])}"


def _paragraph(lines: list[str], at: int, quoted: bool) -> tuple[int, str]:
    """Render lines up to the next block together: emphasis may cross their ends."""
    start = at
    at += 1
    while at < len(lines) and lines[at].strip():
        line = lines[at]
        begins = (
            (_FENCE, _HEADING, _RULE, _ITEM) if quoted else (_FENCE, _QUOTE, _HEADING, _RULE, _ITEM)
        )
        if any(pattern.match(line) for pattern in begins) or _is_table(lines, at):
            break
        at += 1
    return at, _inline("\n".join(lines[start:at]))


# --- tables ---------------------------------------------------------------------------------------


def _is_table(lines: list[str], at: int) -> bool:
    return (
        "|" in lines[at]
        and at + 1 < len(lines)
        and "-" in lines[at + 1]
        and bool(_DELIMITERS.match(lines[at + 1]))
        and len(_cells(lines[at])) == len(_cells(lines[at + 1]))
    )


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELL.split(line.strip().removeprefix("|").removesuffix("|"))]


def _table(lines: list[str], at: int) -> tuple[int, str]:
    """Render a table as columns of a monospaced block."""
    rows = [_cells(lines[at])]
    at += 2
    while at < len(lines) and "|" in lines[at]:
        rows.append(_cells(lines[at]))
        at += 1
    count = len(rows[0])
    plain = [[visible(_inline(cell)) for cell in (row + [""] * count)[:count]] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*plain, strict=True)]
    drawn = [
        "  ".join(
            cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)
        )
        for row in plain
    ]
    drawn.insert(1, "  ".join("─" * width for width in widths))
    body = "\n".join(line.rstrip() for line in drawn)
    return at, f"<pre>{escape(body, quote=False)}</pre>"


def _width(text: str) -> int:
    """Return the columns that a text takes: two for wide characters, none for combining ones."""
    return sum(
        0 if unicodedata.combining(c) else 1 + (unicodedata.east_asian_width(c) in "WF")
        for c in text
    )


# --- within a line --------------------------------------------------------------------------------


def _inline(text: str) -> str:
    kept: list[str] = []

    def keep(found: re.Match[str]) -> str:
        kept.append(_atom(found))
        return f"\x02{len(kept) - 1}\x03"

    marked = _emphasis(escape(_ATOM.sub(keep, text), quote=False))
    return _KEPT.sub(lambda found: kept[int(found[1])], marked)


def _emphasis(text: str) -> str:
    def wrap(found: re.Match[str]) -> str:
        opening, closing = _TAGS[str(found.lastgroup)]
        return f"{opening}{_emphasis(found[str(found.lastgroup)])}{closing}"

    return _EMPHASIS.sub(wrap, text)


def _atom(found: re.Match[str]) -> str:
    """Render what emphasis must not look into."""
    if code := found["code"]:
        return f"<code>{escape(code.strip() or code, quote=False)}</code>"
    if found["escaped"]:
        return escape(found["escaped"], quote=False)
    if url := found["auto"] or found["bare"]:
        return escape(url, quote=False)
    url, label = re.sub(r"\\(.)", r"\1", found["link"]), found["label"]
    if not re.match(r"(?:https?|tg)://|mailto:|tel:", url, re.IGNORECASE):
        return f"{_inline(label)} ({escape(url, quote=False)})"
    shown = _inline(label)
    if not visible(shown).strip():
        shown = escape(url, quote=False)
    return f'<a href="{escape(url)}">{shown}</a>'
