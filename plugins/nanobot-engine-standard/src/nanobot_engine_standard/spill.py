"""Long tool results move to a file; the model gets the beginning and the place."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

from nanobot import log
from nanobot.messages import Text, ToolResult
from nanobot.paths import write_private

PREVIEW_CHARS = 1200


def spill(result: ToolResult, folder: Path, shown: str, name: str, limit: int) -> ToolResult:
    """Return the result, with each text over the limit replaced by a preview and a path.

    Args:
        folder: Where to write.
        shown: The folder as the model may name it.
        name: Unique name for the file, made safe here.
    """
    if all(not isinstance(part, Text) or len(part.text) <= limit for part in result.parts):
        return result
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:12]
    safe = f"{re.sub(r'[^A-Za-z0-9_-]+', '-', name)[:60]}-{digest}"
    parts = []
    for number, part in enumerate(result.parts):
        if isinstance(part, Text) and len(part.text) > limit:
            file = f"{safe}-{number}.txt"
            kept = _write(folder / file, part.text)
            where = f"The whole text is in {shown}/{file}" if kept else "The rest was dropped"
            part = replace(
                part,
                text=f"{part.text[:PREVIEW_CHARS]}\n\n[{len(part.text)} characters, only the first "
                f"{PREVIEW_CHARS} are shown. {where}.]",
            )
        parts.append(part)
    return replace(result, parts=tuple(parts))


def _write(path: Path, text: str) -> bool:
    try:
        write_private(path, text.encode("utf-8", "replace"))
    except OSError as error:
        log.get().warning("tool_result_not_kept", path=str(path), reason=str(error))
        return False
    return True
