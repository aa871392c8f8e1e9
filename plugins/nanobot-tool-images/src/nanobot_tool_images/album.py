"""Where pictures are kept: in the workspace, under names that nobody else chose."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from typing import Any

from nanobot.errors import ToolError
from nanobot.messages import File, Image, Trust, Turn
from nanobot_security import Disk

from nanobot_tool_images.pictures import MAX_BYTES, SUFFIXES, picture

MAX_REFERENCE_BYTES = 20 * 1024 * 1024


def load(paths: Sequence[str], turn: Turn) -> tuple[Image, ...]:
    """Read earlier pictures; blocks.

    Raises:
        ToolError: One can not be read, or is no picture.
    """
    disk = Disk.of(turn.workspace)
    found: list[Image] = []
    left = MAX_REFERENCE_BYTES
    for path in paths:
        with disk.open_read(path) as file:
            data = file.read(min(left, MAX_BYTES) + 1)
        left -= len(data)
        if left < 0:
            raise ToolError(
                f"The reference images are together larger than {MAX_REFERENCE_BYTES // 2**20} "
                "MiB; name fewer or smaller ones.",
                kind="too_large",
                target=path,
            )
        found.append(picture(data, path))
    return tuple(found)


def save(image: Image, turn: Turn, folder: str, about: dict[str, Any]) -> File:
    """Store a picture with a record of how it was made beside it; blocks.

    Args:
        folder: Folder in the workspace.
        about: What to write into the record.

    Raises:
        ToolError: It can not be written.
    """
    disk = Disk.of(turn.workspace)
    base = f"{folder}/{turn.now:%Y-%m-%d}/img_{secrets.token_hex(6)}"
    path = base + SUFFIXES[image.media_type]
    disk.write(path, image.data)
    record = json.dumps({"path": path, "mediaType": image.media_type, **about}, indent=2)
    disk.write(f"{base}.json", record.encode())
    return File(
        path=str(turn.workspace.root / path),
        media_type=image.media_type,
        name=path.rpartition("/")[2],
        trust=Trust.TRUSTED,
    )
