"""Files that came in, as parts of a message."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path

from nanobot.messages import File, Image, Trust
from nanobot_gateway.files import keep, shown_name, sniff

_VISION_BYTES = 5_000_000  # vendors of models refuse larger pictures


async def part_of(data: bytes, name: str, folder: Path) -> Image | File:
    """Return a picture for a vision model, or store anything else in the folder.

    Raises:
        nanobot.errors.StorageError: It can not be stored.
    """
    kind, called = sniff(io.BytesIO(data)), shown_name(name)
    if kind.picture and len(data) <= _VISION_BYTES:
        return Image(data=data, media_type=kind.media_type, name=called, trust=Trust.UNTRUSTED)
    kept = await asyncio.to_thread(keep, data, folder, kind)
    return File(path=str(kept.path), media_type=kind.media_type, name=called)
