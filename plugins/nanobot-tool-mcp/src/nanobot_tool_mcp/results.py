"""What servers answer, as parts for a model: bounded, and never trusted."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import mimetypes
from collections.abc import Iterable, Sequence
from typing import Any

from mcp import types
from nanobot.errors import NanobotError
from nanobot.messages import File, Image, Part, Text, ToolResult, Trust, Workspace
from nanobot_security import Disk

MAX_TEXT = 1_000_000
"""Characters of text that one result may have."""

MAX_BYTES = 10 * 1024 * 1024
"""Size of one picture, sound or file."""

MAX_PARTS = 64
FOLDER = ".nanobot/mcp"
_IMAGES = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF8", "gif"))


class Reader:
    """Turns one answer into parts.

    Args:
        workspace: Where files go that a model can not be shown; they are named by their content.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._left = MAX_TEXT

    def tool(self, result: types.CallToolResult) -> ToolResult:
        """Return the answer of a tool."""
        parts = self._parts(result.content)
        if not parts and result.structured_content is not None:
            parts = [self._text(json.dumps(result.structured_content, ensure_ascii=False))]
        kind = "failed" if result.is_error else ""
        if kind and not parts:
            parts = [self._text("The tool failed and did not say why.")]
        return ToolResult(parts=tuple(parts), kind=kind)

    def prompt(self, result: types.GetPromptResult) -> ToolResult:
        """Return the messages of a prompt."""
        parts: list[Part] = []
        for message in result.messages[:MAX_PARTS]:
            parts += [self._text(f"{message.role}:"), *self._parts([message.content])]
        return ToolResult(parts=tuple(parts))

    def resource(self, result: types.ReadResourceResult) -> ToolResult:
        """Return the contents of a resource."""
        return ToolResult(parts=tuple(self._parts(result.contents)))

    def _parts(self, blocks: Sequence[Any]) -> list[Part]:
        parts = [self._part(block) for block in blocks[:MAX_PARTS]]
        if len(blocks) > MAX_PARTS:
            parts.append(self._text(f"[{len(blocks) - MAX_PARTS} more parts were left out]"))
        return parts

    def _part(self, block: Any) -> Part:
        if isinstance(block, types.TextContent | types.TextResourceContents):
            return self._text(block.text)
        if isinstance(block, types.ImageContent | types.AudioContent):
            return self._binary(block.data, block.mime_type, "")
        if isinstance(block, types.EmbeddedResource):
            return self._part(block.resource)
        if isinstance(block, types.BlobResourceContents):
            return self._binary(block.blob, block.mime_type or "", str(block.uri))
        if isinstance(block, types.ResourceLink):
            about = f": {block.description}" if block.description else ""
            return self._text(f"[resource {block.name} at {block.uri}{about}]")
        return self._text("[a part of an unknown kind was left out]")

    def _text(self, text: str) -> Text:
        kept = text[: self._left]
        self._left -= len(kept)
        if len(kept) < len(text):
            kept += f"\n[{len(text) - len(kept)} more characters were left out]"
        return Text(text=kept, trust=Trust.UNTRUSTED)

    def _binary(self, encoded: str, media_type: str, origin: str) -> Part:
        if len(encoded) > MAX_BYTES * 4 // 3 + 4:
            return self._text(f"[{media_type or 'data'} longer than {MAX_BYTES} bytes left out]")
        try:
            data = base64.b64decode(encoded)
        except (binascii.Error, ValueError):
            return self._text(f"[{media_type or 'data'} that is not valid base64 was left out]")
        picture = picture_type(data)
        if picture:
            return Image(data=data, media_type=picture, name=origin, trust=Trust.UNTRUSTED)
        return self._file(data, media_type, origin)

    def _file(self, data: bytes, media_type: str, origin: str) -> Part:
        plain = media_type.partition(";")[0].strip().lower()
        if plain.startswith("text/") or plain == "application/json":
            return self._text(data.decode(errors="replace"))
        ending = mimetypes.guess_extension(plain) or ".bin"
        path = f"{FOLDER}/{hashlib.sha256(data).hexdigest()[:16]}{ending}"
        try:
            Disk.of(self._workspace).write(path, data)
        except (NanobotError, OSError) as error:
            reason = error.message if isinstance(error, NanobotError) else error.strerror
            return self._text(f"[{plain or 'data'} could not be kept: {reason}]")
        return File(path=path, media_type=plain, name=origin, trust=Trust.UNTRUSTED)


def picture_type(data: bytes) -> str:
    """Return the media type of a picture that models take, by its first bytes, else nothing."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return next((f"image/{name}" for head, name in _IMAGES if data.startswith(head)), "")


def failure(kind: str, words: Iterable[str], *, retryable: bool = False) -> ToolResult:
    """Return an error result in words of which some may be a server's."""
    text = "".join(words)[:4_000]
    return ToolResult(
        parts=(Text(text=text, trust=Trust.UNTRUSTED),), kind=kind, retryable=retryable
    )
