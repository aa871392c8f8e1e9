"""Clients for SDKs and vendors, and fetches through a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from nanobot.context import Network
from nanobot.errors import BlockedAddress, ConfigError, ToolError
from nanobot_egress import Egress, open_client, open_vendor_client
from nanobot_testing import run
from nanobot_testing.servers.wire import Reply, ScriptedServer, json_reply

PUBLIC = "93.184.215.14"
LOOPBACK = Network(allowed=("127.0.0.0/8",))


@pytest.fixture
def client(box: Any, opened: Callable[..., Any]) -> Callable[..., Any]:
    box.dns = {"example.com": [[PUBLIC]], "other.example": [["151.101.1.69"]]}

    def use(work: Callable[[httpx2.AsyncClient], Awaitable[Any]], **settings: Any) -> Any:
        async def go() -> Any:
            made = open_client(Network(), resolve=box.resolve, tls=box.client_context, **settings)
            async with opened("example.com", "other.example"), made as opened_client:
                return await work(opened_client)

        return run(go())

    return use


def test_a_client_reaches_what_is_public(client: Any, box: Any) -> None:
    async def work(client: httpx2.AsyncClient) -> None:
        assert (await client.get("https://example.com/")).text == "hello"

    client(work)
    assert box.connected == [(PUBLIC, 443)]


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/", "http://2130706433/", "http://[::1]/", "http://localhost/"]
)
def test_a_client_is_guarded(client: Any, box: Any, url: str) -> None:
    box.dns["localhost"] = [["127.0.0.1"]]

    async def work(client: httpx2.AsyncClient) -> None:
        with pytest.raises(BlockedAddress):
            await client.get(url)

    client(work)
    assert not box.connected


def test_a_clients_redirects_are_guarded(client: Any, box: Any, says: Any) -> None:
    box.answers.append(says.redirect("http://127.0.0.1/"))

    async def work(client: httpx2.AsyncClient) -> None:
        with pytest.raises(BlockedAddress):
            await client.get("http://example.com/")

    client(work)
    assert box.connected == [(PUBLIC, 80)]


def test_a_clients_headers_stay_with_their_origin(client: Any, box: Any, says: Any) -> None:
    hops = ["http://other.example/x", "http://example.com/y"]
    box.answers.extend([*map(says.redirect, hops), says.ok()])

    async def work(client: httpx2.AsyncClient) -> None:
        assert (await client.get("http://example.com/")).status_code == 200

    client(work, headers={"X-API-Key": "k1", "Authorization": "Bearer k2"})
    assert ["x-api-key" in asked.headers for asked in box.asked] == [True, False, False]
    assert ["authorization" in asked.headers for asked in box.asked] == [True, False, False]


def test_a_clients_body_stays_with_its_origin(client: Any, box: Any, says: Any) -> None:
    box.answers.append(says.redirect("http://other.example/x", 307))

    async def work(client: httpx2.AsyncClient) -> None:
        with pytest.raises(ToolError) as caught:
            await client.post("http://example.com/", content=b"private")
        assert caught.value.kind == "redirected"

    client(work)
    assert len(box.asked) == 1


def test_a_client_follows_five_redirects(client: Any, box: Any, says: Any) -> None:
    box.answers.extend(says.redirect(f"/{n}") for n in range(6))

    async def work(client: httpx2.AsyncClient) -> None:
        with pytest.raises(httpx2.TooManyRedirects):
            await client.get("http://example.com/")

    client(work)


def test_a_limited_client(client: Any, box: Any, says: Any) -> None:
    box.answers.extend([says.ok(b"x" * 101), says.ok(b"x", content_encoding="gzip"), says.ok()])

    async def work(client: httpx2.AsyncClient) -> None:
        kinds = []
        for _ in range(2):
            with pytest.raises(ToolError) as caught:
                await client.get("http://example.com/")
            kinds.append(caught.value.kind)
        assert kinds == ["too_large", "bad_answer"]
        assert (await client.get("http://example.com/")).text == "hello"

    client(work, max_bytes=100)
    assert box.asked[0].headers["accept-encoding"] == "identity"


def test_a_client_has_errors_of_httpx(client: Any, box: Any) -> None:
    box.unreachable = {PUBLIC}

    async def work(client: httpx2.AsyncClient) -> None:
        with pytest.raises(httpx2.ConnectError):
            await client.get("http://example.com/")

    client(work)


def test_over_real_sockets() -> None:
    async def go() -> None:
        async with ScriptedServer() as server, open_client(LOOPBACK) as client:
            server.reply(json_reply({"a": 1}))
            assert (await client.get(server.base_url)).json() == {"a": 1}
        async with ScriptedServer() as server, Egress() as egress:
            with pytest.raises(BlockedAddress):
                await egress.fetch(server.base_url)
            assert not server.requests

    run(go())


# --- vendors --------------------------------------------------------------------------------------


def test_a_vendors_address_is_the_owners_affair() -> None:
    async def go() -> None:
        async with ScriptedServer() as server:
            server.reply(json_reply({"a": 1}))
            async with open_vendor_client(server.base_url, headers={"X-Key": "k"}) as client:
                assert (await client.get("/v1")).json() == {"a": 1}
            assert server.requests[0].headers["x-key"] == "k"

    run(go())


def test_a_vendors_redirect_is_not_followed() -> None:
    async def go() -> None:
        async with ScriptedServer() as server:
            server.reply(Reply(status=302, headers={"location": server.base_url}, chunked=False))
            async with open_vendor_client(server.base_url, headers={"X-Key": "k"}) as client:
                assert (await client.get("/v1")).status_code == 302
            assert len(server.requests) == 1

    run(go())


# --- proxies --------------------------------------------------------------------------------------


def through_proxy(url: str, dns: dict[str, list[str]]) -> tuple[list[str], ToolError | None]:
    """Fetch through a proxy and return what the proxy was asked."""

    async def resolve(name: str) -> tuple[str, ...]:
        if name not in dns:
            raise OSError("unknown")
        return tuple(dns[name])

    async def go() -> tuple[list[str], ToolError | None]:
        async with ScriptedServer() as proxy:
            proxy.reply(json_reply({"by": "proxy"}))
            failed = None
            async with Egress(proxy=proxy.base_url, resolve=resolve) as egress:
                try:
                    await egress.fetch(url)
                except ToolError as error:
                    failed = error
            return [f"{one.method} {one.path}" for one in proxy.requests], failed

    return run(go())


def test_a_proxy_resolves_names() -> None:
    asked, failed = through_proxy("http://only-there.example/x", {})
    assert asked == ["GET http://only-there.example/x"]
    assert failed is None


@pytest.mark.parametrize(
    "url",
    [
        "http://10.0.0.1/",
        "http://0x7f.1/",
        "http://private.example/",
        "http://localhost/",
        "http://intranet/",
        "http://metadata.google.internal/",
        "http://nas.local/",
        "https://169.254.169.254/",
    ],
)
def test_a_proxy_is_not_asked_for_what_is_private(url: str) -> None:
    asked, failed = through_proxy(url, {"private.example": ["10.0.0.1"]})
    assert asked == []
    assert isinstance(failed, BlockedAddress)


@pytest.mark.parametrize("proxy", ["", "localhost", "ftp://me:hunter2@host/", "http://[::1", "x y"])
def test_a_proxy_that_can_not_be_used(proxy: str) -> None:
    for open_with in (
        lambda: Egress(proxy=proxy),
        lambda: open_client(Network(), proxy=proxy),
        lambda: open_vendor_client("https://api.example", proxy=proxy),
    ):
        with pytest.raises(ConfigError) as caught:
            open_with()
        assert "hunter2" not in f"{caught.value} {caught.value!r}"


def test_a_socks_proxy_gets_the_name() -> None:
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(3)  # version 5, one method, none needed (RFC 1928)
        writer.write(b"\x05\x00")
        length = (await reader.readexactly(5))[4]
        asked.append(await reader.readexactly(length + 2))
        writer.write(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        await writer.drain()
        writer.close()

    async def unknown(name: str) -> tuple[str, ...]:
        raise OSError("unknown")

    async def go() -> bytes:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Egress(proxy=f"socks5://127.0.0.1:{port}", resolve=unknown) as egress:
            return (await egress.fetch("http://only-there.example/")).body

    assert run(go()) == b"hi"
    assert asked == [b"only-there.example\x00\x50"]


def test_a_proxy_that_refuses() -> None:
    async def go() -> str:
        async with ScriptedServer() as proxy:
            proxy.reply(Reply(status=407, chunked=False))
            async with Egress(proxy=proxy.base_url.replace("://", "://me:hunter2@")) as egress:
                with pytest.raises(ToolError) as caught:
                    await egress.fetch("https://8.8.8.8/")
                assert "hunter2" not in str(caught.value)
                return caught.value.kind

    assert run(go()) == "unreachable"
