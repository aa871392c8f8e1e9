"""The server's own answers: JSON, with nothing in them that a caller should not know."""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus

from nanobot_service_http.asgi import Send

Headers = tuple[tuple[bytes, bytes], ...]

_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
_TYPES |= {500: "server_error", 503: "unavailable_error", 504: "timeout_error"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole response.

    Args:
        headers: What it has beside type and length of the body.
    """

    status: int
    body: bytes
    content_type: bytes = b"application/json"
    headers: Headers = ()

    def all_headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers, complete."""
        return [
            (b"content-type", self.content_type),
            (b"content-length", b"%d" % len(self.body)),
            (b"cache-control", b"no-store"),
            *self.headers,
        ]

    def wire(self) -> bytes:
        """Return the bytes of an HTTP/1.1 response after which the connection closes."""
        phrase = HTTPStatus(self.status).phrase.encode()
        lines = [b"HTTP/1.1 %d %s" % (self.status, phrase)]
        lines += [b"%s: %s" % pair for pair in self.all_headers()]
        return b"\r\n".join([*lines, b"connection: close", b"", self.body])


class Refused(Exception):
    """Stop a request; carries what its caller is told.

    Args:
        message: One sentence that says what to do, for whoever wrote the client.
    """

    def __init__(self, status: int, message: str, headers: Headers = ()) -> None:
        super().__init__(message)
        self.answer = failure(status, message, headers)


def failure(status: int, message: str, headers: Headers = ()) -> Answer:
    """Return the answer to a request that is not served."""
    kind = _TYPES.get(status, "invalid_request_error")
    return as_json(status, {"error": {"message": message, "type": kind}}, headers)


def as_json(status: int, value: object, headers: Headers = ()) -> Answer:
    """Return a value as a JSON answer."""
    body = json.dumps(value, separators=(",", ":")).encode("ascii")
    return Answer(status=status, body=body, headers=headers)


FAILED = failure(500, "The server failed to answer; its log says why.")


async def send_answer(send: Send, answer: Answer, *, websocket: bool = False) -> None:
    """Send an answer; for a WebSocket, in place of the upgrade."""
    kind = "websocket.http.response" if websocket else "http.response"
    headers = answer.all_headers()
    await send({"type": f"{kind}.start", "status": answer.status, "headers": headers})
    await send({"type": f"{kind}.body", "body": answer.body})
