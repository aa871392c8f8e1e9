"""From markdown to what the platform shows: text, rich text, or a card.

Short plain text is sent as text, plain text with links as rich text, anything with structure as a
card (version 2.0), whose markdown element knows lists, quotes, code blocks and emphasis. Headings
and tables become elements of their own; a card holds one table, further ones follow in cards of
their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_TEXT_CHARS = 200
_POST_CHARS = 2000
CARD_BYTES = 28_000
"""Most bytes of a card or rich text; the platform takes 30 KB, with the request around it."""

_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_HEADING = re.compile(r"^ {0,3}#{1,6}\s+(.*?)\s*#*\s*$")
_RULE = re.compile(r"^\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")
_LINK = re.compile(r"(?<!!)\[([^\]\n]+)\]\((https?://[^)\s]+)\)")
_PICTURE = re.compile(r"!\[([^\]\n]*)\]\(([^)\s]+)[^)\n]*\)")
_STRUCTURE = re.compile(
    r"(?m)^\s{0,3}(?:`{3}|~{3}|#{1,6}\s|[-*+]\s|\d+[.)]\s|>)"
    r"|\*\*\S|__\S|~~\S|`[^`\n]+`|(?<![\w*])\*[^*\s][^*\n]*\*(?![\w*])"
)
_EVERYBODY = re.compile(r"<at\b[^>]*\ball\b[^>]*>(?:[^<]*</at>)?", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True, slots=True)
class Body:
    """A message as the platform takes it.

    Args:
        kind: The platform's ``msg_type``.
        content: JSON text of its content.
    """

    kind: str
    content: str


def text(markdown: str) -> Body:
    """Return a plain text message."""
    return Body(kind="text", content=_json({"text": harmless(markdown)}))


def post(markdown: str) -> Body:
    """Return rich text: a paragraph a line, links as links."""
    lines = [list(_runs(line)) for line in harmless(markdown).split("\n")]
    return Body(kind="post", content=_json({"zh_cn": {"title": "", "content": lines}}))


def messages(
    markdown: str, buttons: Sequence[Sequence[str]] = (), mark: dict[str, Any] | None = None
) -> list[Body]:
    """Return the messages that show some markdown.

    Args:
        buttons: Rows of labels to press.
        mark: What a press reports beside its label; see `card_buttons`.
    """
    clean = harmless(markdown)
    if not buttons and not _STRUCTURE.search(clean) and not _has_table(clean):
        if len(clean) <= _TEXT_CHARS and not _LINK.search(clean):
            return [text(markdown)]
        if len(clean) <= _POST_CHARS:
            return [post(markdown)]
    made = cards(markdown)
    if buttons:
        made[-1]["body"]["elements"] += card_buttons(buttons, mark or {})
    return [card(each) for each in made]


def card(content: dict[str, Any]) -> Body:
    """Return a message that shows a card."""
    return Body(kind="interactive", content=_json(content))


def cards(markdown: str) -> list[dict[str, Any]]:
    """Return the cards that show some markdown; one, unless it holds more than one table."""
    made: list[list[dict[str, Any]]] = [[]]
    for element in _elements(harmless(markdown)):
        if element["tag"] == "table" and any(e["tag"] == "table" for e in made[-1]):
            made.append([])
        made[-1].append(element)
    return [card_of(elements) for elements in made]


def card_of(elements: list[dict[str, Any]], **config: Any) -> dict[str, Any]:
    """Return a card of version 2.0, which all who see it see change."""
    return {
        "schema": "2.0",
        "config": {"update_multi": True, **config},
        "body": {"elements": elements or [markdown_element(" ")]},
    }


def markdown_element(content: str, **more: Any) -> dict[str, Any]:
    """Return an element that shows markdown."""
    return {"tag": "markdown", "content": content, **more}


def card_buttons(rows: Sequence[Sequence[str]], mark: dict[str, Any]) -> list[dict[str, Any]]:
    """Return rows of buttons; a press reports its label under the key ``nanobot``."""
    return [
        {
            "tag": "column_set",
            "flex_mode": "flow",
            "columns": [
                {
                    "tag": "column",
                    "width": "auto",
                    "elements": [
                        {
                            "tag": "button",
                            "text": {"tag": "plain_text", "content": label},
                            "behaviors": [
                                {"type": "callback", "value": {**mark, "nanobot": label}}
                            ],
                        }
                    ],
                }
                for label in row
            ],
        }
        for row in rows
    ]


def harmless(markdown: str) -> str:
    """Return markdown that the platform shows: no calls to everybody, pictures as links.

    A card takes only pictures that were uploaded to the platform, and refuses all of it otherwise.
    """
    lines = _EVERYBODY.sub("@all", markdown).split("\n")
    fence = ""
    for n, line in enumerate(lines):
        fence = _fence_after(fence, line)
        if not fence:
            lines[n] = _PICTURE.sub(lambda m: f"[{m[1] or 'image'}]({m[2]})", line)
    return "\n".join(lines)


def _fence_after(fence: str, line: str) -> str:
    """Return the marks that end the block of code in which the next line lies, empty if none."""
    found = _FENCE.match(line)
    if not found:
        return fence
    if not fence:
        return found[1]
    return "" if found[1].startswith(fence) else fence


# --- parts of a card -----------------------------------------------------------------------------


def _elements(markdown: str) -> Iterator[dict[str, Any]]:
    lines = markdown.split("\n")
    kept: list[str] = []
    fence = ""
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        fence = _fence_after(fence, line)
        if not fence:
            if heading := _HEADING.match(line):
                yield from _flush(kept)
                yield _heading(heading[1])
                continue
            if _is_table(lines, position - 1):
                end = position + 1
                while end < len(lines) and "|" in lines[end]:
                    end += 1
                yield from _flush(kept)
                yield _table(lines[position - 1 : end])
                position = end
                continue
        kept.append(line)
    yield from _flush(kept)


def _flush(kept: list[str]) -> Iterator[dict[str, Any]]:
    content = "\n".join(kept).strip("\n")
    kept.clear()
    if content.strip():
        yield markdown_element(content)


def _heading(content: str) -> dict[str, Any]:
    bold = re.sub(r"\*\*|__", "", content)
    return {"tag": "div", "text": {"tag": "lark_md", "content": f"**{bold}**"}}


def _has_table(markdown: str) -> bool:
    lines = markdown.split("\n")
    return any(_is_table(lines, n) for n in range(len(lines)))


def _is_table(lines: list[str], n: int) -> bool:
    if n + 1 >= len(lines) or "|" not in lines[n] or "|" not in lines[n + 1]:
        return False
    return bool(_RULE.match(lines[n + 1])) and len(_cells(lines[n])) == len(_cells(lines[n + 1]))


def _table(lines: list[str]) -> dict[str, Any]:
    names = _cells(lines[0])
    rows = [_cells(line) for line in lines[2:]]
    return {
        "tag": "table",
        "page_size": min(max(len(rows), 1), 10),
        "columns": [
            {"name": f"c{n}", "display_name": name, "data_type": "text"}
            for n, name in enumerate(names)
        ],
        "rows": [
            {f"c{n}": row[n] if n < len(row) else "" for n in range(len(names))} for row in rows
        ],
    }


def _cells(line: str) -> list[str]:
    inner = line.strip().removeprefix("|")
    inner = inner[:-1] if inner.endswith("|") and not inner.endswith("\\|") else inner
    return [_bare(cell) for cell in re.split(r"(?<!\\)\|", inner)]


def _bare(cell: str) -> str:
    """Return a cell without marks: the table shows them as they are."""
    cell = _LINK.sub(lambda m: f"{m[1]} ({m[2]})", cell.replace("\\|", "|"))
    return re.sub(r"\*\*|__|~~|`", "", re.sub(r"\s*<br\s*/?>\s*", " ", cell)).strip()


def _runs(line: str) -> Iterator[dict[str, Any]]:
    position = 0
    for link in _LINK.finditer(line):
        if link.start() > position:
            yield {"tag": "text", "text": line[position : link.start()]}
        yield {"tag": "a", "text": link[1], "href": link[2]}
        position = link.end()
    if position < len(line) or not line:
        yield {"tag": "text", "text": line[position:]}


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
