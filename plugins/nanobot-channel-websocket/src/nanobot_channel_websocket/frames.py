"""What clients send: text, ``{"content": ...}``, or an envelope with a type."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nanobot_documents import strict_json

LONGEST_TEXT = 2**16  # bytes
LARGE = 2**18  # characters; parsing more than this is left to a thread
_TURN_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_REQUEST_ID = _TURN_ID
_HELP = 'Send text, {"content": "..."}, or an object with a type.'


class BadFrame(Exception):
    """Report a frame that means nothing.

    Args:
        detail: A word for programs.
        text: What to do instead.
    """

    def __init__(self, detail: str, text: str) -> None:
        super().__init__(text)
        self.detail = detail
        self.text = text


@dataclass(frozen=True, slots=True)
class Said:
    """Text for the client's default chat."""

    text: str


@dataclass(frozen=True, slots=True)
class Envelope:
    """An object with a type."""

    type: str
    fields: Mapping[str, Any]


async def read(raw: str | bytes) -> Said | Envelope | None:
    """Return what a frame says, None for one that says nothing and is passed over.

    Raises:
        BadFrame: It means nothing.
    """
    if isinstance(raw, bytes):
        try:
            raw = raw.decode("utf-8")
        except UnicodeDecodeError:
            raise BadFrame("invalid_utf8", f"This frame is not UTF-8. {_HELP}") from None
    return await asyncio.to_thread(_parse, raw) if len(raw) > LARGE else _parse(raw)


def _parse(raw: str) -> Said | Envelope | None:
    text = raw.strip()
    if not text:
        return None
    start = text.lstrip("\ufeff")[:1]
    if start == "{":
        return _object(raw)
    if text == "null" or (start in ("[", '"') and _is_json(text)):
        raise BadFrame("invalid_frame", f"This is JSON, but no object. {_HELP}")
    return _said(raw)


def _object(raw: str) -> Said | Envelope | None:
    try:
        data = strict_json.loads(raw.strip())
    except strict_json.JsonError as error:
        raise BadFrame("invalid_json", f"This is not valid JSON: {error}. {_HELP}") from None
    kind = data.get("type")
    if isinstance(kind, str):
        return Envelope(kind, data)
    for name in ("content", "text", "message"):
        value = data.get(name)
        if isinstance(value, str) and value.strip():
            return _said(value)
    if "type" in data:
        raise BadFrame("invalid_frame", f"The type is not a text. {_HELP}")
    return None


def _said(text: str) -> Said:
    if not any(c.isprintable() and not c.isspace() for c in text):
        raise BadFrame("missing content", f"There is nothing to read in this. {_HELP}")
    return Said(text)


def _is_json(text: str) -> bool:
    try:
        strict_json.loads(text)
    except strict_json.JsonError:
        return False
    return True


def turn_id(value: object) -> str:
    """Return a client's name for its message, or a new one."""
    if isinstance(value, str) and _TURN_ID.fullmatch(value):
        return value
    return uuid.uuid4().hex


def is_request_id(value: object) -> bool:
    """Tell whether a client may name a request so."""
    return isinstance(value, str) and _REQUEST_ID.fullmatch(value) is not None
