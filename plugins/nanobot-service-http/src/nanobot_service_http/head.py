"""The head of a request: its address and headers, with whatever is ambiguous refused."""

from __future__ import annotations

import re

from nanobot_service_http.answers import Refused
from nanobot_service_http.asgi import Scope

MOST_HEADERS = 100
MOST_HEADER_BYTES = 32 * 1024

_ODD = re.compile(r"[\x00-\x1f\x7f\\]|//|/\.\.?(?:/|\Z)")
_FORWARDED = (b"forwarded", b"via", b"x-real-ip", b"x-forwarded-for", b"x-forwarded-host")


class Head:
    """What is known of a request before its body.

    Raises:
        Refused: Two parsers could read it differently, or it is too large.
    """

    def __init__(self, scope: Scope) -> None:
        self.websocket: bool = scope["type"] == "websocket"
        self.method: str = "GET" if self.websocket else scope["method"]
        self.path: str = scope["path"]
        self.server: tuple[str, int | None] = scope.get("server") or ("", None)
        self.client: str = (scope.get("client") or ("",))[0]
        self._headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            self._headers.setdefault(name.lower(), []).append(value)
        if scope["http_version"] not in ("1.0", "1.1"):
            raise Refused(505, "This server speaks HTTP/1.1.")
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if len(scope["headers"]) > MOST_HEADERS or size > MOST_HEADER_BYTES:
            raise Refused(431, "The request has too many headers.")
        if not scope["raw_path"].startswith(b"/") or _ODD.search(self.path):
            raise Refused(404, "There is nothing at this address.")

    def one(self, name: bytes) -> bytes | None:
        """Return the value of a header that may be there once; None when it is not."""
        values = self._headers.get(name, [])
        if len(values) > 1:
            raise Refused(400, f"The header {name.decode('ascii')} is there twice.")
        return values[0] if values else None

    def body_length(self) -> int | None:
        """Return how long the body says it is: 0 for no body, None when it comes in chunks."""
        length, chunked = self.one(b"content-length"), self.one(b"transfer-encoding")
        if chunked is not None and length is not None:
            raise Refused(400, "The request has both Content-Length and Transfer-Encoding.")
        return None if chunked is not None else int(length or 0)

    @property
    def from_this_machine(self) -> bool:
        """Tell whether the caller is on this machine, and no proxy says that it passes it on."""
        address = self.client.removeprefix("::ffff:")
        local = address == "::1" or address.startswith("127.")
        return local and not any(name in self._headers for name in _FORWARDED)
