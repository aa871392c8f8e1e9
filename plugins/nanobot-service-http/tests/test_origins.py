"""Which pages may call: rows of headers as browsers, rebound names and liars send them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing import run

ROWS = json.loads((Path(__file__).parent / "corpora" / "origin_host.json").read_text())["items"]
UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


def request(headers: dict[str, str], path: str = "/talk") -> bytes:
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).replace(":8765", ":{port}").encode()


async def greet(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close"})
    else:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['id']} {row['why']}")
@pytest.mark.parametrize("auth", ["none", "token"])
@pytest.mark.parametrize("upgrade", [False, True], ids=["http", "websocket"])
def test_rows(row: dict[str, Any], auth: str, upgrade: bool, serve: Any, app: Any) -> None:
    """What is refused is refused with the token and without, and nothing behind the door runs."""
    calls = []

    async def watched(scope: Any, receive: Any, send: Any) -> None:
        calls.append(scope["type"])
        await greet(scope, receive, send)

    async def go() -> int:
        async with serve(app("talk", watched, auth=auth, websocket=True)) as served:
            headers = {**row["input"], **(UPGRADE if upgrade else {})}
            if auth == "token":
                headers["Authorization"] = "Bearer {token}"
            (reply,) = await served.raw(request(headers))
            assert reply.status in (101, 200) or reply.error["type"] == "permission_error"
            return reply.status

    status = run(go())
    if row["expected"] == "allow":
        assert status == (101 if upgrade else 200) and calls
    else:
        assert status == 403 and not calls


GOOD = {
    "own name without a port": {"Host": "localhost"},
    "case of a name": {"Host": "LocalHost:{port}"},
    "IPv6": {"Host": "[::1]:{port}", "Origin": "http://[::1]:{port}"},
    "typed into the address bar": {"Host": "127.0.0.1:{port}", "Sec-Fetch-Site": "none"},
    "own page": {"Host": "localhost:{port}", "Sec-Fetch-Site": "same-origin"},
    "configured name": {"Host": "bot.example.com", "Origin": "https://bot.example.com"},
    "configured name, our port": {"Host": "bot.example.com:{port}"},
    "configured name and port": {"Host": "lan.example:9000", "Origin": "http://lan.example:9000"},
    "configured foreign page": {
        "Host": "localhost:{port}",
        "Origin": "https://desk.example",
        "Sec-Fetch-Site": "cross-site",
    },
}
BAD = {
    "empty": {"Host": ""},
    "other port": {"Host": "localhost:1"},
    "name with a dot at its end": {"Host": "localhost.:{port}"},
    "name below a configured one": {"Host": "evil.bot.example.com"},
    "name that ends like a configured one": {"Host": "evilbot.example.com"},
    "configured name, foreign port": {"Host": "bot.example.com:81"},
    "decimal address": {"Host": "2130706433:{port}"},
    "other loopback address": {"Host": "127.0.0.2:{port}"},
    "origin with a path": {"Host": "localhost:{port}", "Origin": "http://localhost:{port}/"},
    "origin in capitals": {"Host": "localhost:{port}", "Origin": "HTTP://LOCALHOST:{port}"},
    "origin of the other name": {"Host": "127.0.0.1:{port}", "Origin": "http://localhost:{port}"},
    "origin without the port": {"Host": "localhost:{port}", "Origin": "http://localhost"},
    "empty origin": {"Host": "localhost:{port}", "Origin": ""},
    "wildcard": {"Host": "localhost:{port}", "Origin": "*"},
    "file": {"Host": "localhost:{port}", "Origin": "file://"},
    "same site": {"Host": "localhost:{port}", "Sec-Fetch-Site": "same-site"},
    "unknown site": {"Host": "localhost:{port}", "Sec-Fetch-Site": "none, same-origin"},
    "below a configured origin": {"Host": "localhost:{port}", "Origin": "https://a.desk.example"},
    "forwarded": {"Host": "evil.example", "Forwarded": "host=localhost"},
}
NAMES = {
    "allowedHosts": ["bot.example.com", "LAN.example:9000"],
    "allowedOrigins": ["https://desk.example"],
}


@pytest.mark.parametrize("path", ["/metrics", "/talk", "/nothing"])
@pytest.mark.parametrize("headers", BAD.values(), ids=BAD)
def test_refused(headers: dict[str, str], path: str, serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("talk", greet), **NAMES) as served:
            (reply,) = await served.raw(request(headers, path))
            assert reply.status == 403
            assert "access-control-allow-origin" not in reply.headers

    run(go())


@pytest.mark.parametrize("headers", GOOD.values(), ids=GOOD)
def test_allowed(headers: dict[str, str], serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("talk", greet), **NAMES) as served:
            (reply,) = await served.raw(request(headers))
            assert reply.status == 200

    run(go())


def test_the_address_that_was_reached_is_a_name_when_all_are_listened_on(serve: Any) -> None:
    async def go() -> None:
        async with serve(host="0.0.0.0") as served:
            for host, expected in (("127.0.0.1", 200), ("localhost", 200), ("0.0.0.0", 403)):
                (reply,) = await served.raw(request({"Host": f"{host}:{{port}}"}, "/metrics"))
                assert reply.status == expected, host
            assert "http_open_to_network" in served.log.of("warning")

    run(go())


@pytest.mark.parametrize("name", ["Host", "Origin", "Authorization", "Sec-Fetch-Site"])
def test_a_header_that_decides_may_not_be_there_twice(name: str, serve: Any, app: Any) -> None:
    """Two parsers must not read two different ones."""
    good = {
        "Host": "localhost:{port}",
        "Origin": "http://localhost:{port}",
        "Authorization": "Bearer {token}",
        "Sec-Fetch-Site": "same-origin",
    }
    twice = "".join(f"{key}: {value}\r\n" for key, value in good.items())
    twice += f"{name}: {good[name]}\r\n"

    async def go() -> None:
        async with serve(app("talk", greet, auth="token")) as served:
            (reply,) = await served.raw(f"GET /talk HTTP/1.1\r\n{twice}\r\n".encode())
            assert reply.status == 400

    run(go())


def test_preflight_gives_no_foreign_page_a_right(serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("talk", greet)) as served, served.client() as client:
            ask = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
            answer = await client.options("/talk", headers=ask)
            assert answer.status_code == 403
            assert not [name for name in answer.headers if name.startswith("access-control")]

    run(go())
