"""The service's life: the port, the token, what is imported when, and the end."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot_service_http.config import HttpConfig
from nanobot_service_http.service import open_service
from nanobot_testing import run
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed


def test_a_port_in_use_is_one_line_that_names_the_setting(make_context: Any) -> None:
    async def go() -> ConfigError:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            config = HttpConfig(port=taken.getsockname()[1])
            with pytest.raises(ConfigError) as refused:
                async with open_service(config, make_context()):
                    raise AssertionError("it must not open")
            return refused.value

    error = run(go())
    assert error.message.startswith("gateway.port: another program listens on 127.0.0.1 port ")
    assert "\n" not in error.message and "gateway.port" in error.remedy


@pytest.mark.parametrize("host", ["198.51.100.7", "no-such-host.invalid"])
def test_an_address_of_another_machine(host: str, make_context: Any) -> None:
    async def go() -> None:
        with pytest.raises(ConfigError, match=r"^gateway\.host: "):
            async with open_service(HttpConfig(host=host, port=0), make_context()):
                raise AssertionError("it must not open")

    run(go())


def test_localhost_is_every_address_of_this_machine(serve: Any) -> None:
    async def go() -> None:
        async with serve(host="localhost") as served, served.client() as client:
            assert (await client.get("/health")).status_code == 200
            assert not served.log.of("warning")

    run(go())


def test_the_port_is_free_again_and_a_second_run_takes_it_anew(make_context: Any) -> None:
    async def go() -> None:
        ready = asyncio.Event()
        context = make_context(ready=ready.set)
        async with open_service(HttpConfig(port=0), context) as service:
            port = await service.listen()  # type: ignore[attr-defined]
            for _ in range(2):
                task = asyncio.create_task(service.run())
                await ready.wait()
                ready.clear()
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
        with socket.create_server(("127.0.0.1", port)):
            pass

    run(go())


def test_callers_before_the_server_is_loaded_are_served(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served, served.client() as client:
            answers = await asyncio.gather(*(client.get("/health") for _ in range(20)))
            assert {answer.status_code for answer in answers} == {200}

    run(go())


def test_answers_do_not_wait_for_an_acknowledgement(
    serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Head and body go out as two pieces, and with Nagle's algorithm that takes 40 ms."""
    from nanobot_service_http import server

    found = []
    made = server.Connection.connection_made

    def look(self: Any, transport: asyncio.Transport) -> None:
        made(self, transport)
        sock = transport.get_extra_info("socket")
        found.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))

    monkeypatch.setattr(server.Connection, "connection_made", look)

    async def go() -> None:
        async with serve() as served, served.client() as client:
            await client.get("/health")

    run(go())
    assert found == [1]


# --- the token -----------------------------------------------------------------------------------


def token_file(served: Any) -> Any:
    return served.folder / "data" / "services.http" / "token"


def test_a_token_is_made_once_and_kept_for_the_owner_alone(serve: Any) -> None:
    async def go() -> tuple[str, str]:
        found = []
        for _ in range(2):
            async with serve(token=None) as served:
                path = token_file(served)
                assert stat.S_IMODE(path.stat().st_mode) == 0o600
                assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
                found.append(path.read_text().strip())
                headers = {"authorization": f"Bearer {found[-1]}"}
                async with served.client(**headers) as client:
                    assert "parts" in (await client.get("/health")).json()
                assert served.log.one("http_listening")["token_in"] == str(path)
                assert found[-1] not in str(served.log.records)
        return found[0], found[1]

    first, second = run(go())
    assert first == second and len(first) >= 43


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff" * 40])
def test_a_token_that_can_not_be_used_is_replaced(content: bytes, serve: Any) -> None:
    async def go() -> str:
        async with serve(token=None) as served:
            path = token_file(served)
        path.write_bytes(content)
        async with serve(token=None) as served:
            return str(path.read_text())

    assert len(run(go()).strip()) >= 43


def test_a_token_that_others_could_read_is_closed_and_told(serve: Any) -> None:
    async def go() -> None:
        async with serve(token=None) as served:
            path = token_file(served)
        path.chmod(0o644)
        async with serve(token=None) as served:
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
            assert "http_token_was_readable" in served.log.of("warning")

    run(go())


def test_health_is_told_though_the_token_can_not_be_kept(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served:
            folder = token_file(served).parent
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.write_text("in the way")
        async with serve(token=None) as served, served.client() as client:
            assert (await client.get("/health")).status_code == 200
            assert "http_token_not_kept" in served.log.of("warning")

    run(go())


def test_a_configured_token_leaves_no_file(serve: Any) -> None:
    async def go() -> None:
        async with serve() as served:
            assert not token_file(served).exists()
            assert served.log.one("http_listening")["token_in"] == "gateway.token"
            assert served.token not in str(served.log.records)

    run(go())


# --- what is imported when -----------------------------------------------------------------------

LOADED = """
import asyncio, json, sys
from pathlib import Path
from nanobot import log
from nanobot_gateway.service import Health, ServiceContext
from nanobot_service_http.config import HttpConfig
from nanobot_service_http.service import open_service

def heavy():
    return sorted({name.split(".")[0] for name in sys.modules} & {
        "uvicorn", "starlette", "h11", "anyio", "websockets", "httpx", "structlog"})

async def main():
    ready = asyncio.Event()
    well = Health(ok=True, parts={}, problems=(), counters={})
    context = ServiceContext(id="services.http", log=log.get(), data=Path(sys.argv[1]),
        submit=None, send=None, store=None, health=lambda: well, ready=ready.set, open=None)
    async with open_service(HttpConfig(port=0), context) as service:
        task = asyncio.create_task(service.run())
        await ready.wait()
        before = heavy()
        reader, writer = await asyncio.open_connection("127.0.0.1", await service.listen())
        writer.write(b"GET /health HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n")
        answer = await reader.read()
        task.cancel()
        await asyncio.wait([task])
        print(json.dumps([before, heavy(), answer.decode()]))

asyncio.run(main())
"""


def test_nothing_of_the_http_machinery_is_loaded_before_somebody_calls(tmp_path: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED, str(tmp_path)], capture_output=True, text=True, check=True
    )
    before, after, answer = json.loads(done.stdout)
    assert before == []
    assert after == ["h11", "uvicorn"]
    assert answer.startswith("HTTP/1.1 200") and answer.endswith('{"status":"ok"}')


# --- the end -------------------------------------------------------------------------------------


def test_a_running_request_may_end_and_no_new_one_begins(serve: Any, app: Any) -> None:
    async def go() -> None:
        inside, leave = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await leave.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"done"})

        async with serve(app("slow", slow)) as served, served.client() as client:
            request = asyncio.create_task(client.get("/slow"))
            await inside.wait()
            served.task.cancel()
            await asyncio.wait([asyncio.create_task(refused(served))])
            leave.set()
            assert (await request).text == "done"

    async def refused(served: Any) -> None:
        while True:
            try:
                _, writer = await served.connect()
            except ConnectionError:
                return
            writer.close()

    run(go())


def test_what_does_not_end_is_cut(serve: Any, app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from nanobot_service_http import server

    monkeypatch.setattr(server, "GRACE_S", 0.05)
    stopped = asyncio.Event()

    async def go() -> None:
        inside = asyncio.Event()

        async def endless(scope: Any, receive: Any, send: Any) -> None:
            try:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                await send({"type": "http.response.body", "body": b"x", "more_body": True})
                inside.set()
                await asyncio.Event().wait()
            finally:
                stopped.set()

        async with serve(app("endless", endless)) as served:
            reader, writer = await served.connect()
            writer.write(b"GET /endless HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await inside.wait()
            served.task.cancel()
            await asyncio.wait([served.task])
            assert stopped.is_set()
            with suppress(ConnectionError):
                await reader.read()

    run(go())


def test_websockets_are_told_that_the_server_ends(serve: Any, app: Any) -> None:
    async def listen(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        assert (await receive())["type"] == "websocket.disconnect"

    async def go() -> None:
        async with serve(app("ws", listen, websocket=True)) as served:
            async with connect(f"ws://127.0.0.1:{served.port}/ws") as socket:
                served.task.cancel()
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd and closed.value.rcvd.code == 1012
            assert not served.log.of("error")

    run(go())
