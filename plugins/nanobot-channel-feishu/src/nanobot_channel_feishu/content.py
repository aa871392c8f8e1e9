"""What a message of the platform says: the content of every kind of message as text and files.

The shapes are those of the platform's documentation, "content of received messages". Content that
has another shape gives what can be read of it; nothing here raises.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

_PLACEHOLDER = re.compile(r"@_user_\d+")
_EVERYBODY = re.compile(r"@_all(?![A-Za-z0-9_])")


@dataclass(frozen=True, kw_only=True, slots=True)
class Media:
    """A file in a message.

    Args:
        key: What the platform calls it.
        kind: What to ask for when downloading it.
        what: What people call it: image, file, audio or video.
        name: Its file name, if there is one.
    """

    key: str
    kind: Literal["image", "file"]
    what: str
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Foreign:
    """Text that the sender did not write: a card, a forwarded message."""

    text: str


Item = str | Media | Foreign


@dataclass(frozen=True, kw_only=True, slots=True)
class Mentions:
    """Who is mentioned in a message.

    Args:
        names: What people are called, by the placeholder in the text.
        bot: Placeholders that mean the bot.
        everybody: Everybody is mentioned.
    """

    names: Mapping[str, str]
    bot: frozenset[str] = frozenset()
    everybody: bool = False

    def resolve(self, text: str) -> str:
        """Put names in the places of placeholders; the bot at the beginning is left out."""
        text = text.strip()
        while (first := _PLACEHOLDER.match(text)) and first[0] in self.bot:
            text = text[first.end() :].lstrip()
        text = _PLACEHOLDER.sub(lambda m: f"@{self.names.get(m[0]) or m[0][1:]}", text)
        return _EVERYBODY.sub("@all", text)


def mentions_of(listed: object, bot: str) -> Mentions:
    """Read the list of mentions of an event or a stored message.

    Args:
        bot: The bot's open id.
    """
    names: dict[str, str] = {}
    own, everybody = set(), False
    for mention in _dicts(listed):
        key, who = _text(mention.get("key")), mention.get("id")
        ids = {_text(v) for v in who.values()} if isinstance(who, dict) else {_text(who)}
        if key == "@_all" or "all" in ids:
            everybody = True
            continue
        names[key] = _text(mention.get("name"))
        if bot and bot in ids:
            own.add(key)
    return Mentions(names=names, bot=frozenset(own), everybody=everybody)


def names_everybody(items: Sequence[Item]) -> bool:
    """Tell whether the text mentions everybody, which the list of mentions need not say."""
    return any(isinstance(item, str) and _EVERYBODY.search(item) for item in items)


def read(kind: str, raw: object) -> list[Item]:
    """Return what a message says; placeholders are still in its text."""
    data = parsed(raw)
    if kind == "text":
        return _kept(_text(data.get("text")))
    if kind == "post":
        return _post(data)
    if kind == "image":
        return [Media(key=_text(data.get("image_key")), kind="image", what="image")]
    if kind in _FILES:
        what, name = _FILES[kind], _text(data.get("file_name"))
        return [Media(key=_text(data.get("file_key")), kind="file", what=what, name=name)]
    if kind == "interactive":
        return [Foreign(text="\n".join(_card(data)) or "[card]")]
    return [_other(kind, data)]


_FILES = {"file": "file", "audio": "audio", "media": "video", "video": "video"}


def parsed(raw: object) -> dict[str, Any]:
    """Return a JSON object, empty if it is none."""
    try:
        data = json.loads(raw) if isinstance(raw, str) else raw
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _dicts(value: object) -> list[dict[str, Any]]:
    return [v for v in value if isinstance(v, dict)] if isinstance(value, list) else []


def _kept(text: str) -> list[Item]:
    return [text] if text.strip() else []


# --- rich text -----------------------------------------------------------------------------------


def _post(data: dict[str, Any]) -> list[Item]:
    """Read rich text: bare, by language, or by language below ``post``."""
    inner = data.get("post")
    data = inner if isinstance(inner, dict) else data
    if "content" not in data:
        data = next((v for v in data.values() if isinstance(v, dict) and "content" in v), {})
    lines = [_text(data.get("title"))]
    media: list[Item] = []
    paragraphs = data.get("content")
    for paragraph in paragraphs if isinstance(paragraphs, list) else []:
        line = ""
        for element in _dicts(paragraph):
            file = _file_in(element)
            if file:
                media.append(file)
            else:
                line += _element(element)
        lines.append(line)
    return [*_kept("\n".join(lines).strip()), *media]


def _file_in(element: dict[str, Any]) -> Media | None:
    if element.get("tag") == "img" and _text(element.get("image_key")):
        return Media(key=element["image_key"], kind="image", what="image")
    if element.get("tag") == "media" and _text(element.get("file_key")):
        return Media(key=element["file_key"], kind="file", what="video")
    return None


def _element(element: dict[str, Any]) -> str:
    tag, text = element.get("tag"), _text(element.get("text"))
    if tag == "a":
        href = _text(element.get("href"))
        return f"[{text}]({href})" if text and href and text != href else text or href
    if tag == "at":
        who = _text(element.get("user_id"))
        if who in ("all", "@_all"):
            return "@_all"
        return who if _PLACEHOLDER.fullmatch(who) else f"@{_text(element.get('user_name')) or who}"
    if tag == "emotion":
        return f":{_text(element.get('emoji_type'))}:"
    if tag == "code_block":
        language = _text(element.get("language")).lower()
        return f"\n```{language}\n{text.rstrip()}\n```\n"
    return "---" if tag == "hr" else text


# --- cards ---------------------------------------------------------------------------------------

_TEXT_TAGS = {"text", "plain_text", "lark_md", "markdown", "md"}


def _card(node: object) -> Iterator[str]:
    """Walk through a card of any version and yield its text, line by line."""
    if isinstance(node, list):
        if node and all(isinstance(n, dict) and n.get("tag") in {"text", "a", "at"} for n in node):
            yield "".join(_element(n) for n in node)  # a paragraph of a card as an event shows it
            return
        for child in node:
            yield from _card(child)
        return
    if not isinstance(node, dict):
        return
    if drawn := parsed(node.get("user_dsl")):
        yield from _card(drawn)
        return
    tag = node.get("tag")
    if tag in _TEXT_TAGS or tag == "a":
        yield from _kept_lines(_text(node.get("content")) or _element(node))
    elif tag == "button":
        yield from _button(node)
    elif tag == "table":
        yield from _table(node)
    elif tag in ("img", "image"):
        yield "[image]"
    else:
        for key, value in node.items():
            if key in ("title", "subtitle") and isinstance(value, str):
                yield from _kept_lines(value)
            else:
                yield from _card(value)


def _kept_lines(text: str) -> Iterator[str]:
    if text.strip():
        yield text.strip()


def _button(node: dict[str, Any]) -> Iterator[str]:
    label = " ".join(_card(node.get("text"))) or "button"
    links = [node.get("url"), *(b.get("default_url") for b in _dicts(node.get("behaviors")))]
    link = next((link for link in links if _text(link)), "")
    yield f"[{label}]({link})" if link else f"[{label}]"


def _table(node: dict[str, Any]) -> Iterator[str]:
    columns = _dicts(node.get("columns"))
    yield " | ".join(_text(c.get("display_name")) or _text(c.get("name")) for c in columns)
    for row in _dicts(node.get("rows")):
        yield " | ".join(_plain(row.get(_text(c.get("name")))) for c in columns)


# --- the rest ------------------------------------------------------------------------------------

_LABELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "sticker": ("sticker", ()),
    "share_chat": ("shared chat", ("chat_id",)),
    "share_user": ("shared contact", ("user_id",)),
    "share_calendar_event": ("calendar event", ("summary",)),
    "calendar": ("calendar event", ("summary",)),
    "general_calendar": ("calendar event", ("summary",)),
    "video_chat": ("video meeting", ("topic",)),
    "vote": ("poll", ("topic", "options")),
    "location": ("location", ("name", "latitude", "longitude")),
    "hongbao": ("red packet", ("text",)),
    "folder": ("folder", ("file_name",)),
    "todo": ("task", ()),
    "system": ("system message", ()),
    "merge_forward": ("forwarded messages", ()),
}


def _other(kind: str, data: dict[str, Any]) -> Foreign:
    label, keys = _LABELS.get(kind, (f"message of kind {kind or 'unknown'}", ()))
    said = [_plain(data.get(key)) for key in keys]
    if kind == "todo":
        said = [_plain(item) for item in _post(parsed(data.get("summary"))) if item]
    elif kind == "system":
        said = [_system(data)]
    said = [text for text in said if text]
    return Foreign(text=f"[{label}: {', '.join(said)}]" if said else f"[{label}]")


def _plain(value: object) -> str:
    if isinstance(value, list):
        return " / ".join(_plain(v) for v in value)
    return str(value) if isinstance(value, str | int | float) else ""


def _system(data: dict[str, Any]) -> str:
    """Fill a template such as ``{from_user} invited {to_chatters}``."""
    return re.sub(
        r"\{(\w+)\}", lambda m: _plain(data.get(m[1])) or m[0], _text(data.get("template"))
    )
