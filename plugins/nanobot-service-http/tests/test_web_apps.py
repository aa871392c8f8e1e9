"""Apps behind the front door: what reaches them, and what becomes of their faults."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from nanobot.errors import PluginError
from nanobot_service_http.exchange import Line, Stalled
from nanobot_service_http.web import (
    HTTPException,
    Request,
    Response,
    Route,
    StreamingResponse,
    WebSocketRoute,
    application,
    read_json,
)
from nanobot_testing import run
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"hello"})


def says(text: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    return app


# --- mounts --------------------------------------------------------------------------------------


def test_the_longest_mount_wins_and_the_root_takes_the_rest(serve: Any, app: Any) -> None:
    apps = [
        app("root", says(b"root"), mount="/"),
        app("api", says(b"api"), mount="/v1"),
        app("deep", says(b"deep"), mount="/v1/deep"),
    ]
    expected = {
        "/": "root",
        "/v1x": "root",
        "/v1": "api",
        "/v1/": "api",
        "/v1/deeper": "api",
        "/v1/deep": "deep",
        "/v1/deep/x": "deep",
    }

    async def go() -> None:
        async with serve(*apps) as served, served.client() as client:
            assert {path: (await client.get(path)).text for path in expected} == expected
            assert (await client.get("/health")).json() == {"status": "ok"}

    run(go())


@pytest.mark.parametrize(
    "mount",
    ["", "notes", "/notes/", "//", "/a//b", "/../x", "/a/..", "/a b", "/health", "/metrics/x"],
)
def test_a_mount_that_can_not_be_is_left_out(mount: str, serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("bad", hello, mount=mount), app("good", hello)) as served:
            assert served.log.one("web_app_left_out")["app"] == "web.bad"
            async with served.client() as client:
                assert (await client.get("/good")).text == "hello"
                assert (await client.get("/health")).json() == {"status": "ok"}

    run(go())


def test_the_second_one_on_a_mount_is_left_out(serve: Any, app: Any) -> None:
    async def go() -> None:
        apps = [app("b", says(b"b"), mount="/x"), app("a", says(b"a"), mount="/x")]
        async with serve(*apps) as served, served.client() as client:
            assert (await client.get("/x")).text == "a"
            assert "web.a has this mount" in served.log.one("web_app_left_out")["reason"]

    run(go())


def test_what_an_app_gets_to_see(serve: Any, app: Any) -> None:
    """The path with its mount, whether the caller has the token, and never the token."""
    scopes: list[Any] = []

    async def look(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await hello(scope, receive, send)

    async def go() -> None:
        async with serve(app("look", look, mount="/a/look")) as served:
            async with served.known() as client:
                await client.get("/a/look/there?x=1")
            async with served.client(authorization="Bearer of-the-app") as client:
                await client.head("/a/look")

    run(go())
    known, other = scopes
    assert (known["root_path"], known["path"]) == ("/a/look", "/a/look/there")
    assert known["state"]["authenticated"] is True and known["state"]["health"]().ok
    assert "authorization" not in {name.decode() for name, _ in known["headers"]}
    assert (other["method"], other["state"]["authenticated"]) == ("HEAD", False)
    assert (b"authorization", b"Bearer of-the-app") in other["headers"]


def test_a_spec_may_take_other_types_methods_and_lengths(serve: Any, app: Any) -> None:
    async def length(request: Request) -> Response:
        return Response(str(len(await request.body())))

    upload = application(Route("/", length, methods=["PUT"]))
    wide = {"methods": ("PUT",), "content_types": ("*",), "max_body_bytes": 5000}

    async def go() -> None:
        async with (
            serve(app("upload", upload, **wide), maxBodyBytes=1024) as served,
            served.client() as client,
        ):
            assert (await client.put("/upload/", content=b"x" * 5000)).text == "5000"
            assert (await client.put("/upload/", content=b"x" * 5001)).status_code == 413
            assert (await client.post("/upload/", content=b"x")).status_code == 405

    run(go())


def test_headers_that_every_response_has(serve: Any, app: Any) -> None:
    async def own(scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"X-Frame-Options", b"SAMEORIGIN")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b""})

    async def go() -> None:
        async with serve(app("own", own)) as served, served.client() as client:
            answer = await client.get("/own")
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
            assert answer.headers["date"].endswith(" GMT")
            assert "server" not in answer.headers

    run(go())


# --- faults --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "problem", [PluginError("the database is locked"), RuntimeError("sk-123 in /etc/passwd")]
)
def test_an_app_that_does_not_open_harms_nobody_else(
    problem: Exception, serve: Any, app: Any
) -> None:
    async def go() -> None:
        async with serve(app("broken", problem), app("good", hello)) as served:
            async with served.client() as client:
                answer = await client.get("/broken")
                assert answer.status_code == 503
                assert answer.json()["error"]["type"] == "unavailable_error"
                assert str(problem) not in answer.text
                assert (await client.get("/broken")).status_code == 503
                assert (await client.get("/good")).text == "hello"
            assert served.log.one("web_app_not_open")["app"] == "web.broken"
            assert len(served.log.of("error")) == 1

    run(go())


@pytest.mark.parametrize("raised", [ValueError("secret detail"), SystemExit(3), TimeoutError()])
def test_an_app_that_raises_tells_nothing(raised: BaseException, serve: Any, app: Any) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise raised

    async def go() -> None:
        async with serve(app("fails", fails)) as served, served.client() as client:
            answer = await client.get("/fails")
            assert answer.status_code == 500
            assert answer.json()["error"]["type"] == "server_error"
            assert "detail" not in answer.text
            assert served.log.one("web_app_failed")["app"] == "web.fails"
            assert (await client.get("/health")).status_code == 200

    run(go())


def test_an_app_that_says_nothing(serve: Any, app: Any) -> None:
    async def silent(scope: Any, receive: Any, send: Any) -> None:
        return

    async def go() -> None:
        async with serve(app("silent", silent)) as served, served.client() as client:
            assert (await client.get("/silent")).status_code == 500

    run(go())


def test_half_an_answer_does_not_look_like_a_whole_one(serve: Any, app: Any) -> None:
    async def half(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"half", "more_body": True})
        raise ValueError

    async def go() -> None:
        async with serve(app("half", half)) as served, served.client() as client:
            with pytest.raises(httpx.TransportError):
                await client.get("/half")
            assert (await client.get("/health")).status_code == 200

    run(go())


def test_an_answer_that_does_not_begin(serve: Any, app: Any) -> None:
    stopped = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def go() -> None:
        apps = [app("waits", waits), app("patient", hello, timeout_s=60)]
        async with serve(*apps, requestTimeoutS=0.1) as served, served.client() as client:
            assert (await client.get("/waits")).status_code == 504
            await stopped.wait()
            assert (await client.get("/patient")).status_code == 200

    run(go())


def test_a_stream_may_take_longer_than_its_beginning(serve: Any, app: Any) -> None:
    async def go() -> None:
        begun, end = asyncio.Event(), asyncio.Event()

        async def stream(scope: Any, receive: Any, send: Any) -> None:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"begun ", "more_body": True})
            begun.set()
            await end.wait()
            await send({"type": "http.response.body", "body": b"ended"})

        async def waits(scope: Any, receive: Any, send: Any) -> None:
            await asyncio.Event().wait()

        apps = [app("stream", stream), app("waits", waits)]
        async with serve(*apps, requestTimeoutS=0.1) as served, served.client() as client:
            long = asyncio.create_task(client.get("/stream"))
            await begun.wait()
            assert (await client.get("/waits")).status_code == 504
            end.set()
            assert (await long).text == "begun ended"

    run(go())


def test_a_caller_who_does_not_read_is_cut_and_nobody_else_waits(serve: Any, app: Any) -> None:
    ended = asyncio.Event()

    async def flood(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                piece = b"x" * 1_000_000
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        finally:
            ended.set()

    async def go() -> None:
        async with serve(app("flood", flood), requestTimeoutS=0.3) as served:
            _, writer = await served.connect()
            writer.write(b"GET /flood HTTP/1.1\r\nHost: localhost\r\n\r\n")
            async with served.client() as client:
                assert (await client.get("/health")).status_code == 200
                await ended.wait()
                metrics = (await client.get("/metrics")).text
            assert 'nanobot_http_requests_total{status="200"}' in metrics
            assert not served.log.of("error")

    run(go())


@pytest.mark.parametrize("ends", [b"", b"Connection: close\r\n"])
def test_an_answer_that_nobody_reads_is_not_kept(
    ends: bytes, serve: Any, app: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The app is done at once, for its answer is one piece; the rest is the server's matter."""
    from nanobot_service_http import server

    lost = asyncio.Event()
    ended = server.Connection.connection_lost

    def look(self: Any, exc: Exception | None) -> None:
        ended(self, exc)
        lost.set()

    monkeypatch.setattr(server.Connection, "connection_lost", look)

    def impatient(self: Any, *given: Any) -> None:
        made(self, *given)
        self.timeout_keep_alive = 0.05

    made = server.Connection.__init__
    monkeypatch.setattr(server.Connection, "__init__", impatient)

    async def go() -> None:
        long = app("long", says(b"x" * 20_000_000))
        async with serve(long, requestTimeoutS=0.2) as served:
            _, writer = await served.connect()
            writer.write(b"GET /long HTTP/1.1\r\nHost: localhost\r\n" + ends + b"\r\n")
            await lost.wait()
            assert not served.log.of("error")

    run(go())


@dataclass
class Slow:
    """A connection whose other end has read some more each time that somebody looks."""

    left: list[int]
    cut: bool = False
    tries: int = 0

    def pending(self) -> int:
        return self.left.pop(0)

    def abort(self) -> None:
        self.cut = True

    def finish(self) -> None:
        raise AssertionError("it goes on")

    async def receive(self) -> Any:
        raise AssertionError("nothing is received")

    async def send(self, message: Any) -> None:
        self.tries += 1
        if self.left:
            await asyncio.Event().wait()

    def line(self) -> Line:
        return Line(receive=self.receive, send=self.send, wire=self, patience_s=0.01)


def test_a_caller_who_reads_slowly_is_waited_for() -> None:
    slow = Slow([300, 200, 100])
    run(slow.line().pass_on({}))
    assert (slow.tries, slow.cut) == (3, False)


def test_a_caller_who_stops_reading_is_not() -> None:
    slow = Slow([300, 200, 200, 100])
    with pytest.raises(Stalled):
        run(slow.line().pass_on({}))
    assert (slow.tries, slow.cut) == (2, True)


def test_a_caller_who_leaves_is_no_fault(serve: Any, app: Any) -> None:
    inside, left = asyncio.Event(), asyncio.Event()

    async def stream(scope: Any, receive: Any, send: Any) -> None:
        inside.set()
        await receive()
        assert (await receive())["type"] == "http.disconnect"
        left.set()
        raise ConnectionResetError

    async def go() -> None:
        async with serve(app("s", stream)) as served:
            _, writer = await served.connect()
            writer.write(b"GET /s HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await inside.wait()
            writer.close()
            await left.wait()
            async with served.client() as client:
                assert (await client.get("/health")).status_code == 200
            assert not served.log.of("error")

    run(go())


# --- what apps are made of -----------------------------------------------------------------------


async def take(request: Request) -> Response:
    return Response(json.dumps(await read_json(request)))


async def refuse(request: Request) -> Response:
    raise HTTPException(409, "It is there already.", headers={"x-why": "twice"})


async def crash(request: Request) -> Response:
    raise ValueError("secret detail")


async def count(request: Request) -> Response:
    async def numbers() -> Any:
        for number in range(3):
            yield f"{number} "

    return StreamingResponse(numbers())


ROUTES = application(
    Route("/take", take, methods=["POST"]),
    Route("/refuse", refuse),
    Route("/crash", crash),
    Route("/count", count),
)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b'{"a": NaN}',
        b'{"a": 1, "a": 2}',
        b'"\\ud800"',
        b'"\xff"',
        b"1" * 5000,
        b"[" * 2000 + b"]" * 2000,
        b"\xef\xbb\xbf{}",
    ],
    ids=range(9),
)
def test_json_is_read_strictly(body: bytes, serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("r", ROUTES)) as served, served.client() as client:
            kind = {"content-type": "application/json"}
            answer = await client.post("/r/take", content=body, headers=kind)
            assert answer.status_code == 400
            assert "The body is not acceptable JSON" in answer.json()["error"]["message"]
            assert not served.log.of("error")

    run(go())


def test_routes(serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("r", ROUTES)) as served, served.client() as client:
            assert (await client.post("/r/take", json={"a": "ä"})).json() == {"a": "ä"}
            refused = await client.get("/r/refuse")
            assert (refused.status_code, refused.headers["x-why"]) == (409, "twice")
            assert refused.json()["error"]["message"] == "It is there already."
            assert (await client.get("/r/nothing")).json()["error"]["type"] == "not_found_error"
            assert (await client.get("/r/take")).status_code == 405
            assert (await client.get("/r/count")).text == "0 1 2 "
            crashed = await client.get("/r/crash")
            assert crashed.status_code == 500 and "detail" not in crashed.text
            assert crashed.json()["error"]["type"] == "server_error"
            assert served.log.one("web_app_failed")["reason"] == "ValueError: secret detail"

    run(go())


def test_a_body_that_is_cut_while_an_app_reads_it(serve: Any, app: Any) -> None:
    """starlette raises in the app; the caller is told what the front door found."""

    async def pieces() -> Any:
        for _ in range(4):
            yield b"1" * 1000

    async def go() -> None:
        async with serve(app("r", ROUTES), maxBodyBytes=2048) as served, served.client() as client:
            kind = {"content-type": "application/json"}
            answer = await client.post("/r/take", content=pieces(), headers=kind)
            assert answer.status_code == 413
            assert not served.log.of("error")

    run(go())


# --- WebSockets ----------------------------------------------------------------------------------


async def chat(socket: Any) -> None:
    await socket.accept()
    async for text in socket.iter_text():
        if text == "crash":
            raise ValueError("secret detail")
        await socket.send_text(text.upper())


async def closed_door(socket: Any) -> None:
    await socket.close()


async def breaks(socket: Any) -> None:
    raise ValueError("secret detail")


SOCKETS = application(
    WebSocketRoute("/chat", chat),
    WebSocketRoute("/closed", closed_door),
    WebSocketRoute("/breaks", breaks),
)


def url(served: Any, path: str) -> str:
    return f"ws://127.0.0.1:{served.port}{path}"


def test_a_websocket(serve: Any, app: Any) -> None:
    async def go() -> None:
        async with serve(app("ws", SOCKETS, auth="token", websocket=True)) as served:
            known = {"Authorization": f"Bearer {served.token}"}
            async with connect(url(served, "/ws/chat"), additional_headers=known) as socket:
                await socket.send("hello")
                assert await socket.recv() == "HELLO"
                await socket.send("crash")
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd and closed.value.rcvd.code == 1011
            assert served.log.one("web_app_failed")["app"] == "web.ws"

    run(go())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/ws/chat?token=correct-horse-battery-staple", 401),
        ("/open/closed", 403),
        ("/open/breaks", 500),
        ("/open/nothing", 403),
        ("/plain", 400),
        ("/broken", 503),
        ("/nothing", 404),
        ("/health", 404),
    ],
)
def test_an_upgrade_that_is_refused(path: str, status: int, serve: Any, app: Any) -> None:
    apps = [
        app("ws", SOCKETS, auth="token", websocket=True),
        app("open", SOCKETS, websocket=True),
        app("broken", RuntimeError("secret detail"), websocket=True),
        app("plain", hello),
    ]

    async def go() -> None:
        async with serve(*apps) as served:
            with pytest.raises(InvalidStatus) as refused:
                await connect(url(served, path))
            response = refused.value.response
            assert response.status_code == status
            assert b"detail" not in response.body
            if not path.startswith("/open/") or status == 500:
                assert json.loads(response.body)["error"]["message"]

    run(go())


@pytest.mark.parametrize(
    ("first", "lines", "status"),
    [
        ("POST /open/chat HTTP/1.1", "", 415),
        ("GET /open/chat HTTP/1.0", "", 404),
        ("GET /open/chat HTTP/1.1", "Sec-WebSocket-Version: 12\r\n", 404),
        ("GET /open/chat HTTP/1.1", "Sec-WebSocket-Key: short\r\n", 404),
        ("GET /open/chat HTTP/1.1", f"X: {'x' * 10_000}\r\n", 400),
    ],
    ids=str,
)
def test_a_handshake_that_is_none(
    first: str, lines: str, status: int, serve: Any, app: Any
) -> None:
    """It is an ordinary request, and never a connection that hangs."""
    usual = {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    told = "".join(f"{n}: {value}\r\n" for n, value in usual.items() if f"{n}:" not in lines)
    body = "Content-Length: 2\r\n\r\n{}" if first.startswith("POST") else "\r\n"
    upgrade = "Host: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

    async def go() -> None:
        async with serve(app("open", SOCKETS, websocket=True)) as served:
            data = f"{first}\r\n{upgrade}{told}{lines}{body}"
            (reply,) = await served.raw(data.encode())
            assert reply.status == status
            assert set(reply.error) == {"message", "type"}

    run(go())


def test_a_message_that_is_too_long_closes_the_websocket(serve: Any, app: Any) -> None:
    async def go() -> None:
        apps = app("open", SOCKETS, websocket=True)
        async with serve(apps, maxBodyBytes=1024) as served:
            async with connect(url(served, "/open/chat")) as socket:
                await socket.send("x" * 2000)
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
            assert closed.value.sent or closed.value.rcvd
            assert closed.value.rcvd and closed.value.rcvd.code == 1009

    run(go())


def test_a_websocket_that_is_never_accepted(serve: Any, app: Any) -> None:
    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.Event().wait()

    async def go() -> None:
        async with serve(app("w", waits, websocket=True), requestTimeoutS=0.1) as served:
            with pytest.raises(InvalidStatus) as refused:
                await connect(url(served, "/w"))
            assert refused.value.response.status_code == 504

    run(go())


def test_a_websocket_takes_a_place(serve: Any, app: Any) -> None:
    async def go() -> None:
        apps = app("open", SOCKETS, websocket=True)
        async with (
            serve(apps, maxConcurrent=1) as served,
            connect(url(served, "/open/chat")) as socket,
        ):
            await socket.send("a")
            await socket.recv()
            with pytest.raises(InvalidStatus) as refused:
                await connect(url(served, "/open/chat"))
            assert refused.value.response.status_code == 503

    run(go())


def test_a_websocket_whose_other_end_does_not_read_is_cut(serve: Any, app: Any) -> None:
    ended = asyncio.Event()

    async def flood(socket: Any) -> None:
        await socket.accept()
        try:
            while True:
                await socket.send_bytes(b"x" * 1_000_000)
        finally:
            ended.set()

    async def go() -> None:
        apps = app("f", application(WebSocketRoute("/", flood)), websocket=True)
        async with serve(apps, requestTimeoutS=0.3) as served:
            _, writer = await served.connect()
            writer.write(
                b"GET /f/ HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
                b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await ended.wait()
            async with served.client() as client:
                assert (await client.get("/health")).status_code == 200
            assert not served.log.of("error")

    run(go())
