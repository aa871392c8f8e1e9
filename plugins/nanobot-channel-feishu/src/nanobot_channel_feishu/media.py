"""Files that came in: what they are, and where they are kept."""

from __future__ import annotations

import asyncio
import os
import secrets
from pathlib import Path, PurePosixPath

from nanobot.messages import File, Image, Trust

_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png", ".png"),
    (0, b"\xff\xd8\xff", "image/jpeg", ".jpg"),
    (0, b"GIF87a", "image/gif", ".gif"),
    (0, b"GIF89a", "image/gif", ".gif"),
    (8, b"WEBP", "image/webp", ".webp"),
    (0, b"BM", "image/bmp", ".bmp"),
    (0, b"%PDF-", "application/pdf", ".pdf"),
    (0, b"OggS", "audio/ogg", ".ogg"),
    (8, b"WAVE", "audio/wav", ".wav"),
    (0, b"ID3", "audio/mpeg", ".mp3"),
    (0, b"\xff\xfb", "audio/mpeg", ".mp3"),
    (4, b"ftyp", "video/mp4", ".mp4"),
    (0, b"PK\x03\x04", "application/zip", ".zip"),
)
_OFFICE = {
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
"""Kinds of ZIP files that only their name tells apart."""

_FOR_VISION = {"image/png", "image/jpeg", "image/gif", "image/webp"}
_VISION_BYTES = 5_000_000  # vendors of models refuse larger pictures


def sniff(data: bytes, name: str) -> tuple[str, str]:
    """Return media type and file extension by the content; the name only tells ZIP files apart."""
    for offset, signature, media_type, extension in _SIGNATURES:
        if data[offset : offset + len(signature)] == signature:
            suffix = PurePosixPath(name).suffix.lower()
            if extension == ".zip" and suffix in _OFFICE:
                return _OFFICE[suffix], suffix
            return media_type, extension
    try:
        data.decode()
    except UnicodeDecodeError:
        return "application/octet-stream", ".bin"
    return ("application/octet-stream", ".bin") if b"\0" in data else ("text/plain", ".txt")


def shown(name: str) -> str:
    """Return what a file is called, as one short line without folders."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:120].strip()


async def keep(folder: Path, data: bytes, name: str) -> Image | File:
    """Return a picture for a vision model, or store anything else in the folder.

    The file's name is made here; nothing that the platform or the sender says becomes a path.

    Raises:
        OSError: It can not be stored.
    """
    media_type, extension = sniff(data, name)
    if media_type in _FOR_VISION and len(data) <= _VISION_BYTES:
        return Image(data=data, media_type=media_type, name=shown(name), trust=Trust.UNTRUSTED)
    path = folder / f"{secrets.token_hex(16)}{extension}"
    await asyncio.to_thread(_write, path, data)
    return File(path=str(path), media_type=media_type, name=shown(name))


def _write(path: Path, data: bytes) -> None:
    with open(path, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)
