"""Reads bodies up to a limit."""

from __future__ import annotations

import httpx2
from nanobot.errors import ToolError

CODINGS = "gzip, deflate"
_DECODABLE = ("", "identity", "gzip", "deflate")


async def read_body(response: httpx2.Response, max_bytes: int) -> tuple[bytes, bool]:
    """Return the decoded body of a streamed answer, and whether it was cut off.

    Decoding is piecemeal, so a small body that decodes to a huge one costs no more than the limit.

    Raises:
        ToolError: kind ``bad_answer`` when it is encoded in a way that was not asked for, or more
            than once, which only bombs are.
    """
    coding = response.headers.get("content-encoding", "").strip().lower()
    if coding not in _DECODABLE:
        raise ToolError("The answer's body is encoded in an unusual way.", kind="bad_answer")
    pieces: list[bytes] = []
    left = max_bytes
    async for piece in response.aiter_bytes():
        pieces.append(piece[:left])
        if len(piece) > left:
            return b"".join(pieces), True
        left -= len(piece)
    return b"".join(pieces), False
