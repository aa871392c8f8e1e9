"""Recordings as bytes: what they are, and how long they last."""

from __future__ import annotations

import io
import math

from tinytag import TinyTag, TinyTagException

SUFFIXES = {
    "audio/aac": ".aac",
    "audio/flac": ".flac",
    "audio/mp4": ".m4a",
    "audio/mpeg": ".mp3",
    "audio/ogg": ".ogg",
    "audio/wav": ".wav",
    "audio/webm": ".webm",
}
"""What is taken, and the file ending of each."""

ENDINGS = (*SUFFIXES.values(), ".mp4", ".mpeg", ".mpga", ".oga", ".opus")
"""File endings of recordings whose media type nobody told."""

_MAGIC = (
    (b"OggS", "audio/ogg"),
    (b"fLaC", "audio/flac"),
    (b"ID3", "audio/mpeg"),
    (b"\x1a\x45\xdf\xa3", "audio/webm"),
)


def media_type(data: bytes) -> str:
    """Return the media type by what the bytes are; empty for anything but a known recording."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "audio/wav"
    if data[4:8] == b"ftyp":
        return "audio/mp4"
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:  # a frame of MPEG audio
        return "audio/mpeg" if data[1] & 0x06 else "audio/aac"
    return ""


def seconds(data: bytes) -> float | None:
    """Return how long a recording lasts; None when its head does not say, as in WebM.

    Raises:
        ValueError: It is damaged.
    """
    try:
        found = TinyTag.get(file_obj=io.BytesIO(data), tags=False).duration
    except TinyTagException as error:
        if media_type(data) in ("audio/webm", "audio/aac"):  # formats that tinytag does not read
            return None
        raise ValueError(str(error)) from None
    return found if found is not None and math.isfinite(found) else None
