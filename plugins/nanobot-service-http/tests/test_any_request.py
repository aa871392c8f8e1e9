"""Whatever is sent, the answer is one of ours, or none, and the server goes on."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from nanobot_testing import run

TARGETS = ["/health", "/metrics", "/echo", "/", "/echo/../health", "//echo", "/%2e", "*", "/é", ""]
LINES = [
    *(b"Host: evil", b"Host: localhost:1", b"Origin: null", b"Origin: http://localhost"),
    *(b"Content-Length: 3", b"Content-Length: 0", b"Transfer-Encoding: chunked", b"X: \xff"),
    *(b"Content-Type: application/json", b"Connection: close", b"Expect: 100-continue", b"X"),
    *(b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Version: 13", b" folded"),
    *(b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", b"Authorization: Bearer x", b"X: \x00"),
    *(b"Sec-Fetch-Site: cross-site", b"Content-Encoding: gzip", b"X: " + b"x" * 40_000),
]
EXPECTED = {0, 100, 101, 200, 400, 401, 403, 404, 405, 408, 413, 415, 431, 505}
BODIES = [b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"ZZ\r\n", b"GET /health HTTP/1.1\r\n\r\n"]


def some_request(dice: Random) -> bytes:
    """Return something like a request, cut off somewhere now and then."""
    if dice.random() < 0.05:
        return dice.randbytes(40)
    method = dice.choice(["GET", "GET", "POST", "POST", "OPTIONS", "PUT", "get", "\x00"])
    version = dice.choice(["HTTP/1.1"] * 6 + ["HTTP/1.0", "HTTP/2.0", "FTP"])
    first = f"{method} {dice.choice(TARGETS)} {version}".encode()
    host = dice.choice([[b"Host: localhost"]] * 5 + [[]])
    lines = [first, *host, *dice.sample(LINES, dice.randrange(5))]
    data = b"\r\n".join([*lines, b"", b"", dice.choice(BODIES)])
    return data[: len(data) // 2] if dice.random() < 0.05 else data


async def echo(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
        return
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@pytest.mark.parametrize("seed", range(2))
def test_any_request(seed: int, serve: Callable[..., Any], app: Callable[..., Any]) -> None:
    dice = Random(seed)
    seen: Counter[int] = Counter()

    async def go() -> None:
        async with serve(app("echo", echo, websocket=True), requestTimeoutS=0.3) as served:
            for _ in range(5):
                await asyncio.gather(*(one(served, some_request(dice)) for _ in range(50)))
            (after,) = await served.raw(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert after.status == 200
            assert not served.log.of("error")

    async def one(served: Any, data: bytes) -> None:
        (reply,) = await served.raw(data)
        seen[reply.status] += 1
        if reply.status >= 400:
            assert reply.headers["content-type"] == "application/json", (data, reply)
            assert set(json.loads(reply.body)["error"]) == {"message", "type"}

    run(go())
    assert set(seen) <= EXPECTED
    assert {200, 400, 403, 404, 405} <= set(seen), "the dice must reach the checks"
