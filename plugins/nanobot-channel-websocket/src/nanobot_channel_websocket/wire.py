"""Events as WebSocket frames: JSON, encoded once, whoever reads them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from json.encoder import encode_basestring

quote = encode_basestring

_TEXT = 0x81  # RFC 6455, 5.2: a final frame of text; what a server sends is not masked


def frame(payload: bytes) -> bytes:
    """Return a text frame as it goes over the wire."""
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65536:
        return bytes((_TEXT, 126, size >> 8, size & 255)) + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload


def pack(text: str) -> bytes:
    """Return JSON text as a frame; half a surrogate pair, unknown to UTF-8, becomes ``?``."""
    return frame(text.encode("utf-8", "replace"))


def encode(event: Mapping[str, object]) -> bytes:
    """Return an event as a frame."""
    return pack(json.dumps(event, ensure_ascii=False, separators=(",", ":")))
