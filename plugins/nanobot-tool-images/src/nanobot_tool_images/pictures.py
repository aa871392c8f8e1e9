"""Pictures as bytes: what they are, and whether they may be kept."""

from __future__ import annotations

import base64
import binascii
import io

import imagesize  # type: ignore[import-untyped]
from nanobot.errors import ToolError
from nanobot.messages import Image

MAX_BYTES = 32 * 1024 * 1024
MAX_PIXELS = 64_000_000

_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)
SUFFIXES = {"image/png": ".png", "image/jpeg": ".jpg", "image/gif": ".gif", "image/webp": ".webp"}


def media_type(data: bytes) -> str:
    """Return the media type by what the bytes are; empty for anything but a known picture."""
    for magic, kind in _MAGIC:
        if data.startswith(magic):
            return kind
    return "image/webp" if data[:4] == b"RIFF" and data[8:12] == b"WEBP" else ""


def picture(data: bytes, name: str = "") -> Image:
    """Return a picture that was looked at: of a known kind, and no larger than is sane.

    Raises:
        ToolError: kind ``no_picture`` or ``too_large``.
    """
    what = f"'{name}'" if name else "What the vendor sent"
    if len(data) > MAX_BYTES:
        raise ToolError(
            f"{what} is larger than {MAX_BYTES // 2**20} MiB.", kind="too_large", target=name
        )
    kind = media_type(data)
    width, height = imagesize.get(io.BytesIO(data)) if kind else (-1, -1)
    if width <= 0 or height <= 0:
        raise ToolError(
            f"{what} is no picture of kind PNG, JPEG, WebP or GIF.", kind="no_picture", target=name
        )
    if width * height > MAX_PIXELS:
        raise ToolError(
            f"{what} has {width}x{height} pixels; at most {MAX_PIXELS // 10**6} million are taken.",
            kind="too_large",
            target=name,
        )
    return Image(data=data, media_type=kind, name=name)


def decode(text: str) -> bytes:
    """Return the bytes of base64, which may be in a data URL.

    Raises:
        ToolError: kind ``bad_answer``: it is no base64.
    """
    head, comma, rest = text.partition(",") if text.startswith("data:") else ("", "", text)
    if len(rest) > MAX_BYTES // 3 * 4 + 4:
        raise ToolError(
            f"The vendor sent a picture larger than {MAX_BYTES // 2**20} MiB.", kind="too_large"
        )
    try:
        if head and not (comma and head.endswith(";base64")):
            raise ValueError
        return base64.b64decode("".join(rest.split()), validate=True)
    except (binascii.Error, ValueError):
        raise ToolError(
            "The vendor sent a picture whose base64 is damaged.", kind="bad_answer", retryable=True
        ) from None


def data_url(image: Image) -> str:
    """Return a picture as a data URL, the way that most vendors take references."""
    return f"data:{image.media_type};base64,{base64.b64encode(image.data).decode()}"
