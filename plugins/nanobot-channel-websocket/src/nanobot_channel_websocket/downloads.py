"""Files that the agent sends, each at a URL that nobody can guess."""

from __future__ import annotations

import mimetypes
import secrets
from collections import OrderedDict
from pathlib import Path

from nanobot_gateway.channel import DeliveryError

PREFIX = "/api/media/"
MOST = 1_000
LARGEST = 32 * 2**20
# What a browser shows by itself without running anything in it; all else is saved as a file.
_INLINE = ("image/png", "image/jpeg", "image/gif", "image/webp", "video/", "audio/", "text/plain")


class Downloads:
    """Files on offer; the oldest are forgotten first, and all at the end of the process."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, Path] = OrderedDict()

    def offer(self, path: Path) -> dict[str, str]:
        """Return how a client gets a file: its URL, name and kind.

        Raises:
            DeliveryError: There is no such file, or it is too large.
        """
        try:
            size = path.stat().st_size if path.is_file() else -1
        except OSError:
            size = -1
        if not 0 <= size <= LARGEST:
            why = "is not there" if size < 0 else f"has more than {LARGEST} bytes"
            raise DeliveryError(f"{path.name} can not be sent: it {why}", retryable=False)
        key = secrets.token_urlsafe(24)
        self._files[key] = path
        if len(self._files) > MOST:
            self._files.popitem(last=False)
        kind = (mimetypes.guess_type(path.name)[0] or "").partition("/")[0]
        return {
            "url": f"{PREFIX}{key}/{secrets.token_hex(4)}",
            "name": path.name,
            "kind": kind if kind in ("image", "video") else "file",
        }

    def find(self, route: str) -> Path | None:
        """Return the file at a path of a URL, None if there is none."""
        key, _, rest = route.removeprefix(PREFIX).partition("/")
        return self._files.get(key) if rest and "/" not in rest else None

    @staticmethod
    def headers(path: Path) -> dict[str, str]:
        """Return the headers to send a file with."""
        media_type = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        inline = media_type.startswith(_INLINE)
        return {
            "Content-Type": media_type if inline else "application/octet-stream",
            "Content-Disposition": "inline" if inline else "attachment",
            "Content-Security-Policy": "default-src 'none'; sandbox",
        }
