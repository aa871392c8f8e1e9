"""The other checks before any app, through a socket where no client would send such a thing."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import pytest
from nanobot_testing import run

HEAD = b"Host: localhost:{port}\r\n"
JSON = HEAD + b"Content-Type: application/json\r\n"


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answer with the body, after all of it came."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body, more = body + message["body"], message["more_body"]
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def answer_to(serve: Any, app: Any) -> Any:
    """Sends bytes to a server with an app under /echo and returns its responses."""

    def ask(data: bytes, *, count: int = 1, auth: str = "none", **section: object) -> Any:
        async def go() -> Any:
            async with serve(app("echo", echo, auth=auth), **section) as served:
                replies = await served.raw(data, count=count)
                (after,) = await served.raw(b"GET /health HTTP/1.1\r\n" + HEAD + b"\r\n")
                assert after.status == 200, "the server must go on"
                assert not served.log.of("error")
                return replies

        replies = run(go())
        for reply in replies:
            if reply.status >= 400:
                assert set(reply.error) == {"message", "type"}
                assert reply.headers["content-type"] == "application/json"
        return replies if count > 1 else replies[0]

    return ask


# --- the token -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"Authorization: Bearer",
        b"Authorization: Bearer ",
        b"Authorization: bearer {token}",
        b"Authorization: BEARER {token}",
        b"Authorization: Basic {token}",
        b"Authorization: {token}",
        b"Authorization: Bearer {token}x",
        b"Authorization: Bearer correct",
        b"Authorization: Bearer CORRECT-HORSE-BATTERY-STAPLE",
        b"Authorization: Bearer  {token}",
        b"Authorization: Bearer \xff\xfe\xc3\xa9",
        b"X-API-Key: {token}",
        b"Cookie: token={token}",
    ],
)
def test_without_the_token(line: bytes, answer_to: Any) -> None:
    lines = HEAD + (line + b"\r\n" if line else b"")
    reply = answer_to(b"GET /echo HTTP/1.1\r\n" + lines + b"\r\n", auth="token")
    assert reply.status == 401
    assert reply.headers["www-authenticate"] == "Bearer"
    assert reply.error["type"] == "authentication_error"


def test_the_token_is_not_looked_for_in_the_address(answer_to: Any) -> None:
    target = b"GET /echo?token={token}&access_token={token} HTTP/1.1\r\n"
    assert answer_to(target + HEAD + b"\r\n", auth="token").status == 401


def test_with_the_token(answer_to: Any) -> None:
    head = b"GET /echo HTTP/1.1\r\nAuthorization: Bearer {token}\r\n"
    assert answer_to(head + HEAD + b"\r\n", auth="token").status == 200


# --- address and method --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "target",
    [
        "/",
        "/echoes",
        "/Echo",
        "//echo",
        "/health/../echo",
        "/health/%2e%2e/echo",
        "/./echo",
        "/echo/..",
        "/echo/%2e%2e%2fhealth",
        "/echo\\..\\x",
        "/echo%5c..",
        "/echo%00",
        "/echo%0d%0aX-Evil:%201",
        "http://localhost/echo",
        "http://evil/echo",
        "*",
        "echo",
        "/health/",
        "/healthz",
    ],
)
def test_there_is_nothing_elsewhere(target: str, answer_to: Any) -> None:
    reply = answer_to(f"GET {target} HTTP/1.1\r\n".encode() + HEAD + b"\r\n", auth="token")
    assert reply.status == 404
    assert reply.error["type"] == "not_found_error"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get"])
def test_a_method_that_the_app_does_not_take(method: str, answer_to: Any) -> None:
    reply = answer_to(f"{method} /echo HTTP/1.1\r\n".encode() + HEAD + b"\r\n")
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, POST"


@pytest.mark.parametrize("path", ["/health", "/metrics"])
def test_own_pages_are_for_reading(path: str, answer_to: Any) -> None:
    head = f"POST {path} HTTP/1.1\r\n".encode() + JSON
    assert answer_to(head + b"Content-Length: 2\r\n\r\n{}").status == 405


@pytest.mark.parametrize("path", ["/echo", "/health"])
def test_reading_has_no_body(path: str, answer_to: Any) -> None:
    head = f"GET {path} HTTP/1.1\r\n".encode() + JSON
    assert answer_to(head + b"Content-Length: 2\r\n\r\n{}").status == 400


# --- bodies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind",
    [
        b"",
        b"Content-Type: text/plain\r\n",
        b"Content-Type: application/x-www-form-urlencoded\r\n",
        b"Content-Type: multipart/form-data; boundary=x\r\n",
        b"Content-Type: application/jsonp\r\n",
        b"Content-Type: text/plain; application/json\r\n",
        b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n",
    ],
)
def test_a_body_that_is_not_json(kind: bytes, answer_to: Any) -> None:
    reply = answer_to(b"POST /echo HTTP/1.1\r\n" + HEAD + kind + b"Content-Length: 2\r\n\r\n{}")
    assert reply.status == 415


def test_a_compressed_body_is_never_unpacked(answer_to: Any) -> None:
    bomb = gzip.compress(b"\0" * 1_000_000)
    head = b"POST /echo HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n" % len(bomb)
    assert answer_to(head + JSON + b"\r\n" + bomb).status == 415


@pytest.mark.parametrize(
    "body",
    [
        b"Content-Length: 2\r\n\r\n{}",
        b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\n2;ext=1\r\n{}\r\n0\r\nTrailer: x\r\n\r\n",
    ],
)
def test_bodies_arrive(body: bytes, answer_to: Any) -> None:
    reply = answer_to(b"POST /echo HTTP/1.1\r\n" + JSON + body)
    assert (reply.status, reply.body) == (200, b"{}")


def test_a_body_at_the_limit_arrives(answer_to: Any) -> None:
    head = b"POST /echo HTTP/1.1\r\nContent-Length: 1024\r\n" + JSON
    assert answer_to(head + b"\r\n" + b"1" * 1024, maxBodyBytes=1024).status == 200


def test_a_body_that_says_it_is_too_long(answer_to: Any) -> None:
    head = b"POST /echo HTTP/1.1\r\nContent-Length: 1025\r\n" + JSON
    assert answer_to(head + b"\r\n", maxBodyBytes=1024).status == 413


def test_a_body_that_says_it_is_too_long_and_comes_all_the_same(answer_to: Any) -> None:
    """The caller reads why, though it sends first and reads later."""
    head = b"POST /echo HTTP/1.1\r\nContent-Length: 3000000\r\n" + JSON
    first, second = answer_to(
        head + b"\r\n" + b"1" * 3_000_000 + b"GET /health HTTP/1.1\r\n" + HEAD + b"\r\n",
        count=2,
        maxBodyBytes=1024,
    )
    assert (first.status, second.status) == (413, 200)


def test_a_body_in_pieces_that_becomes_too_long(answer_to: Any) -> None:
    pieces = b"400\r\n" + b"1" * 1024 + b"\r\n"
    head = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + JSON
    reply = answer_to(head + b"\r\n" + pieces * 3 + b"0\r\n\r\n", maxBodyBytes=2048)
    assert reply.status == 413


def test_who_asks_before_sending_is_refused_before_sending(answer_to: Any) -> None:
    head = b"POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 9999\r\n" + JSON
    reply = answer_to(head + b"\r\n", maxBodyBytes=1024)
    assert (reply.status, reply.headers["connection"]) == (413, "close")


def test_length_and_pieces_at_once(answer_to: Any) -> None:
    both = b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n"
    data = b"POST /echo HTTP/1.1\r\n" + JSON + both + b"\r\n2\r\n{}\r\n0\r\n\r\n"
    assert answer_to(data).status == 400


@pytest.mark.parametrize(
    "lines",
    [
        b"Content-Length: -1\r\n",
        b"Content-Length: 1e3\r\n",
        b"Content-Length: 1\r\nContent-Length: 2\r\n",
        b"Content-Length: 99999999999999999999999\r\n",
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
    ],
)
def test_lengths_that_are_none(lines: bytes, answer_to: Any) -> None:
    reply = answer_to(b"POST /echo HTTP/1.1\r\n" + JSON + lines + b"\r\n{}")
    assert reply.status in (400, 413)


def test_a_piece_that_is_none(answer_to: Any) -> None:
    head = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + JSON
    assert answer_to(head + b"\r\nZZ\r\n{}\r\n").status == 400


# --- the wire ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
        b"hello\r\n\r\n",
        b"GET /health HTTP/2.0\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /health HTTP/1.1\r\n\r\n",
        b"GET /health HTTP/1.1\r\nHost localhost\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + HEAD + b"X : 1\r\n\r\n",
        b"GET /health HTTP/1.1\r\n" + HEAD + b"X: a\x00b\r\n\r\n",
        b"GET /hea lth HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"GET /\xe9 HTTP/1.1\r\n" + HEAD + b"\r\n",
        b"\r\n\r\n\r\n\r\nGET\r\n\r\n",
        b"A" * 200_000,
        b"GET /health HTTP/1.1\r\n" + HEAD + b"X: " + b"a" * 2_000_000,
    ],
    ids=range(14),
)
def test_garbage(data: bytes, answer_to: Any) -> None:
    assert answer_to(data).status == (505 if b"HTTP/2" in data else 400)


@pytest.mark.parametrize("count", [150, 20_000])
def test_too_many_headers(count: int, answer_to: Any) -> None:
    lines = b"".join(b"X-%d: 1\r\n" % number for number in range(count))
    reply = answer_to(b"GET /health HTTP/1.1\r\n" + HEAD + lines + b"\r\n")
    assert reply.status in (400, 431)


def test_http_1_0(answer_to: Any) -> None:
    assert answer_to(b"GET /health HTTP/1.0\r\n" + HEAD + b"\r\n").status == 200
    assert answer_to(b"GET /metrics HTTP/1.0\r\n\r\n").status == 403


@pytest.mark.parametrize("host", [b"x", b"evil.example", b"10.0.0.7:18790"])
def test_a_supervisor_may_ask_by_any_name_and_learns_one_word(host: bytes, answer_to: Any) -> None:
    reply = answer_to(b"GET /health HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert reply.status == 200 and list(json.loads(reply.body)) == ["status"]


def test_requests_that_do_not_wait_for_answers(answer_to: Any) -> None:
    post = b"POST /echo HTTP/1.1\r\n" + JSON + b"Content-Length: 1\r\n\r\n"
    replies = answer_to(
        b"".join(post + b"%d" % number for number in range(5)), count=5, maxConcurrent=1
    )
    assert [reply.body for reply in replies] == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.parametrize("data", [b"GET /he", b"GET /health HTTP/1.1\r\nHost: loc"])
def test_a_head_that_does_not_arrive(data: bytes, answer_to: Any) -> None:
    assert answer_to(data, requestTimeoutS=0.2).status == 408


def test_a_head_that_comes_a_byte_at_a_time(serve: Any) -> None:
    """What comes slowly does not move the deadline."""

    async def go() -> int:
        async with serve(requestTimeoutS=0.3) as served:
            reader, writer = await served.connect()
            answer = asyncio.ensure_future(reader.read(12))
            writer.write(b"GET /health HTTP/1.1\r\nX: ")
            while not answer.done():
                writer.write(b"a")
                await asyncio.wait([answer], timeout=0.02)
            return int((await answer).split()[1])

    assert run(go()) == 408


def test_who_says_nothing_is_cut_off(answer_to: Any) -> None:
    assert answer_to(b"", requestTimeoutS=0.2).status == 0


@pytest.mark.parametrize(
    "body", [b"Content-Length: 9\r\n\r\n{", b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"]
)
def test_a_body_that_does_not_arrive(body: bytes, answer_to: Any) -> None:
    reply = answer_to(b"POST /echo HTTP/1.1\r\n" + JSON + body, requestTimeoutS=0.2)
    assert reply.status == 408


def test_a_refused_body_that_never_ends_is_cut_off(serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("echo", echo), maxBodyBytes=1024, requestTimeoutS=0.3) as served:
            reader, writer = await served.connect()
            head = b"POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + JSON
            writer.write(head.replace(b"{port}", b"%d" % served.port) + b"\r\n")
            end = asyncio.ensure_future(reader.read())
            with pytest.raises(ConnectionError):
                while True:
                    writer.write(b"400\r\n" + b"1" * 1024 + b"\r\n")
                    await writer.drain()
                    await asyncio.wait([end], timeout=0.01)
                    if writer.transport.is_closing():
                        raise ConnectionError
            await asyncio.wait([end])
            told = b"" if end.exception() else end.result()
            assert not told or told.startswith(b"HTTP/1.1 413")

    run(go())


def test_one_too_many_at_a_time_is_told_to_come_back(serve: Any, app: Any) -> None:
    async def go() -> None:
        inside, leave = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await leave.wait()
            await echo(scope, receive, send)

        async with serve(app("slow", slow), maxConcurrent=1) as served, served.client() as client:
            first = asyncio.create_task(client.get("/slow"))
            await inside.wait()
            second = await client.get("/slow")
            assert (second.status_code, second.headers["retry-after"]) == (503, "1")
            assert (await client.get("/health")).status_code == 200
            leave.set()
            assert (await first).status_code == 200
            assert (await client.get("/slow")).status_code == 200

    run(go())


def test_one_connection_too_many_is_told_to_come_back(serve: Any) -> None:
    async def go() -> None:
        async with serve(maxConcurrent=1) as served:
            ask = b"GET /health HTTP/1.1\r\n" + HEAD.replace(b"{port}", b"%d" % served.port)
            held = [await served.connect() for _ in range(4)]
            for reader, writer in held:
                writer.write(ask + b"\r\n")
                assert (await reader.readuntil(b"\r\n")) == b"HTTP/1.1 200 OK\r\n"
            (reply,) = await served.raw(b"")
            assert (reply.status, reply.headers["retry-after"]) == (503, "1")

    run(go())
