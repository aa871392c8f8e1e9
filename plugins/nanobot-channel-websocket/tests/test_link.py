"""Connections: slow readers, pings, TLS, Unix sockets, and ports that are taken."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ConfigError
from nanobot.events import TextDelta, TurnStarted
from nanobot.messages import text_of
from websockets.asyncio.client import unix_connect
from websockets.exceptions import ConnectionClosedError

TLS = Path(__file__).parent / "tls"


def test_a_slow_reader_is_cut_and_others_get_everything(go: Any) -> None:
    async def work(lab: Any) -> None:
        reader, _ = await lab.raw("token=a-token-for-tests&events=all")
        reader._transport.pause_reading()
        (slow,) = lab.channel._clients
        quick = await lab.connect()
        lab.channel._chats.attach(slow, "c1")
        await quick.attach("c1")
        lab.show("c1", "m1", TurnStarted(turn_id="t", session_key="websocket:c1"))
        piece = "0123456789" * 100
        texts: list[str] = []
        written = 0
        while slow.link._cutting is None:
            lab.show("c1", "m1", TextDelta(text=piece))
            written += 1
            while True:  # the quick one is never behind
                event = await quick.next()
                if event["event"] == "delta":
                    texts.append(event["text"])
                    break
            assert written < 50_000, "the slow one is cut at some point"
        assert texts == [piece] * written
        await slow.link.wait_closed()
        assert await quick.settle() == []

    go(work, maxQueueBytes=2**18)


def test_a_slow_reader_that_wakes_up_reads_why(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect("token=a-token-for-tests&events=all", max_queue=1)
        (known,) = lab.channel._clients
        client.connection.transport.pause_reading()
        sent = 0
        while known.link._cutting is None:
            await lab.send(client.chat, "x" * 10_000, id=f"m{sent}")
            sent += 1
        client.connection.transport.resume_reading()
        seen = 0
        with suppress(ConnectionClosedError):
            while True:
                seen += (await client.next())["event"] == "message"
        assert client.connection.close_code == 1013
        assert "last_seq" in client.connection.close_reason
        assert 0 < seen < sent

    go(work, maxQueueBytes=2**16)


def test_a_flood_of_pings_by_who_reads_nothing_ends(go: Any) -> None:
    async def work(lab: Any) -> None:
        reader, writer = await lab.raw()
        reader._transport.pause_reading()
        (slow,) = lab.channel._clients
        pings = (b"\x89\xfd\0\0\0\0" + b"x" * 125) * 1000
        most = 0
        while not slow.link.transport.is_closing():
            most = max(most, slow.link.transport.get_write_buffer_size())
            writer.write(pings)
            with suppress(ConnectionError):
                await writer.drain()
        await slow.link.wait_closed()
        assert most < 2**20

    go(work, maxQueueBytes=2**16)


def test_one_message_may_be_larger_than_the_queue(go: Any) -> None:
    async def work(lab: Any) -> None:
        client = await lab.connect(max_size=None)
        text = "x" * 3_000_000
        await lab.send(client.chat, text)
        await lab.send(client.chat, "after", id="2")
        assert [(await client.next())["text"] for _ in range(2)] == [text, "after"]

    go(work, maxQueueBytes=2**16)


def test_who_does_not_answer_pings_is_disconnected(go: Any) -> None:
    async def work(lab: Any) -> None:
        reader, _ = await lab.raw()
        data = await reader.read()  # until the server closes
        assert b"\x89" in data and b"\x03\xf3" in data, "a ping, then code 1011"

    go(work, fast={"ping_interval_s": 0.05, "ping_timeout_s": 0.05})


def test_a_half_open_handshake_is_closed(go: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr("nanobot_channel_websocket.channel.OPENING_S", 0.05)

    async def work(lab: Any) -> None:
        reader, writer = await lab.streams()
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
        with suppress(ConnectionResetError):
            assert await reader.read() == b""

    go(work)


def test_tls(go: Any) -> None:
    context = ssl.create_default_context(cafile=str(TLS / "cert.pem"))

    async def work(lab: Any) -> None:
        uri = f"wss://localhost:{lab.port}/?token=a-token-for-tests"
        client = await lab.connect(uri=uri, ssl=context)
        await client.send({"content": "hello"})
        (message,) = await lab.host.until(1)
        assert text_of(message.parts) == "hello"
        lab.show(client.chat, message.id, TextDelta(text="safe"))
        assert (await client.next())["text"] == "safe"

    go(work, sslCertfile=str(TLS / "cert.pem"), sslKeyfile=str(TLS / "key.pem"))


def test_tls_with_a_wrong_file_is_a_clear_error(go: Any, tmp_path: Path) -> None:
    async def work(lab: Any) -> None:
        raise AssertionError("it must not start")

    for cert in (tmp_path / "none.pem", TLS / "key.pem"):
        with pytest.raises(ConfigError, match=r"channels\.websocket\.sslCertfile"):
            go(work, sslCertfile=str(cert), sslKeyfile=str(TLS / "key.pem"))


def test_a_unix_socket(go: Any, tmp_path: Path) -> None:
    path = tmp_path / "run" / "nanobot.sock"

    async def work(lab: Any) -> None:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600 and lab.port == 0
        uri = "ws://localhost/?token=a-token-for-tests"
        async with unix_connect(str(path), uri) as connection:
            assert json.loads(await connection.recv())["event"] == "ready"

    go(work, unixSocketPath=str(path))
    assert not path.exists()
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    go(work, unixSocketPath=str(path))


def test_a_unix_socket_does_not_replace_what_is_there(go: Any, tmp_path: Path) -> None:
    async def work(lab: Any) -> None:
        raise AssertionError("it must not start")

    taken = tmp_path / "notes.txt"
    taken.write_text("mine")
    with pytest.raises(ConfigError, match="something else has that name"):
        go(work, unixSocketPath=str(taken))
    assert taken.read_text() == "mine"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(tmp_path / "s"))
        other.listen()
        with pytest.raises(ConfigError, match="another program listens there"):
            go(work, unixSocketPath=str(tmp_path / "s"))


def test_a_port_that_is_taken_is_named(go: Any) -> None:
    async def work(lab: Any) -> None:
        raise AssertionError("it must not start")

    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError) as caught:
            go(work, port=port)
    said = str(caught.value)
    assert said.startswith(f"channels.websocket.port: port {port} on 127.0.0.1 is in use;")
    assert "\n" not in said


def test_stopping_does_not_wait_for_who_reads_nothing(go: Any) -> None:
    async def work(lab: Any) -> Any:
        reader, _ = await lab.raw()
        reader._transport.pause_reading()
        (slow,) = lab.channel._clients
        number = 0
        while not slow.link._full:
            await lab.send(slow.chat, "x" * 50_000, id=f"m{number}")
            number += 1
        return slow

    slow = go(work)
    assert slow.link.close_code == 1006


def test_clients_are_told_when_the_server_stops(go: Any) -> None:
    async def work(lab: Any) -> Any:
        client = await lab.connect()
        for task in asyncio.all_tasks():
            if "WebSocketChannel.run" in repr(task.get_coro()):
                task.cancel()
        await client.connection.wait_closed()
        return client.connection.close_code

    assert go(work) == 1001
