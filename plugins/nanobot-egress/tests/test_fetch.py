"""Fetching: pinned addresses, redirects, limits, and errors that tell no secrets."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from nanobot.errors import BlockedAddress, ToolError
from nanobot_egress import Fetched
from nanobot_egress.fetch import Egress
from nanobot_testing import run

PUBLIC = "93.184.215.14"
OTHER = "151.101.1.69"


class Fetcher:
    """Fetches once, against a box."""

    def __init__(self, box: Any, opened: Callable[..., Any]) -> None:
        self.box = box
        self.opened = opened
        self.settings: dict[str, Any] = {}
        self.allowed: tuple[str, ...] = ()
        box.dns = {"example.com": [[PUBLIC]], "other.example": [[OTHER]]}

    def __call__(self, url: str, **options: Any) -> Fetched:
        async def work(egress: Egress) -> Fetched:
            return await egress.fetch(url, **{"deadline_s": 10, **options})

        return self.using(work)

    def using(self, work: Callable[[Egress], Awaitable[Any]]) -> Any:
        async def go() -> Any:
            names = ("example.com", "other.example")
            async with (
                self.opened(*names),
                self.box.egress(*self.allowed, **self.settings) as egress,
            ):
                return await work(egress)

        return run(go())

    def fails(self, url: str, **options: Any) -> ToolError:
        with pytest.raises(ToolError) as caught:
            self(url, **options)
        return caught.value


@pytest.fixture
def fetch(box: Any, opened: Callable[..., Any]) -> Fetcher:
    return Fetcher(box, opened)


# --- addresses ------------------------------------------------------------------------------------


def test_connects_to_the_address_that_was_checked(fetch: Fetcher, box: Any) -> None:
    """A second look-up would give loopback; there is none."""
    box.dns["example.com"] = [[PUBLIC], ["127.0.0.1"]]
    assert fetch("http://example.com/").status == 200
    assert box.lookups == ["example.com"]
    assert box.connected == [(PUBLIC, 80)]
    assert box.asked[0].headers["host"] == "example.com"


def test_rebinding_between_fetches_is_seen(fetch: Fetcher, box: Any) -> None:
    box.dns["example.com"] = [[PUBLIC], ["127.0.0.1"]]
    box.answers.append(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

    async def twice(egress: Egress) -> None:
        await egress.fetch("http://example.com/")
        with pytest.raises(BlockedAddress):
            await egress.fetch("http://example.com/")

    fetch.using(twice)
    assert box.connected == [(PUBLIC, 80)]


def test_the_next_address_is_tried(fetch: Fetcher, box: Any) -> None:
    box.dns["example.com"] = [["2606:4700::1111", PUBLIC]]
    box.unreachable = {"2606:4700::1111"}
    assert fetch("http://example.com/").status == 200
    assert box.connected == [("2606:4700::1111", 80), (PUBLIC, 80)]


def test_nobody_home(fetch: Fetcher, box: Any) -> None:
    box.unreachable = {PUBLIC}
    error = fetch.fails("http://example.com/")
    assert error.kind == "unreachable"
    assert error.retryable


def test_an_opened_network_can_be_reached(fetch: Fetcher, box: Any) -> None:
    fetch.allowed = ("127.0.0.0/8", "10.0.0.0/8")
    box.dns["example.com"] = [["10.0.0.7"]]
    assert fetch("http://example.com/").body == b"hello"
    assert fetch("http://127.0.0.1:8080/").body == b"hello"
    assert box.connected == [("10.0.0.7", 80), ("127.0.0.1", 8080)]


def test_concurrent_fetches_do_not_wait_for_each_other(fetch: Fetcher, box: Any) -> None:
    """A name server that does not answer holds up its own question only."""
    stuck = asyncio.Event()
    resolve = box.resolve

    async def slow(name: str) -> tuple[str, ...]:
        if name == "other.example":
            await stuck.wait()
        return tuple(await resolve(name))

    box.resolve = slow

    async def both(egress: Egress) -> None:
        waiting = asyncio.create_task(egress.fetch("http://other.example/"))
        await asyncio.sleep(0)
        assert (await egress.fetch("http://example.com/")).status == 200
        assert not waiting.done()
        stuck.set()
        assert (await waiting).status == 200

    fetch.using(both)


def test_the_systems_resolver_is_asked(fetch: Fetcher) -> None:
    async def look() -> None:
        async with Egress() as egress:
            with pytest.raises(BlockedAddress):
                await egress.guard.check("http://localhost/")
            with pytest.raises(ToolError) as caught:
                await egress.guard.check("http://no-such-name.invalid/")
            assert caught.value.kind == "unknown_host"

    run(look())


# --- redirects ------------------------------------------------------------------------------------


def test_secrets_stay_with_their_origin(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([says.redirect("http://other.example/x"), says.ok()])
    got = fetch(
        "http://example.com/",
        headers={"X-API-Key": "k1", "Authorization": "Bearer k2", "Cookie": "k3=1", "X-Odd": "k4"},
    )
    assert got.url == "http://other.example/x"
    first, second = box.asked
    assert {"x-api-key", "authorization", "cookie", "x-odd"} <= set(first.headers)
    assert set(second.headers) <= {
        "host", "accept", "accept-encoding", "user-agent", "connection"
    }  # fmt: skip
    assert got.chain == ("http://example.com/", "http://other.example/x")


def test_secrets_do_not_come_back(fetch: Fetcher, box: Any, says: Any) -> None:
    hops = ["http://other.example/x", "http://example.com/y"]
    box.answers.extend([*map(says.redirect, hops), says.ok()])
    fetch("http://example.com/", headers={"X-API-Key": "k1"})
    assert ["x-api-key" in asked.headers for asked in box.asked] == [True, False, False]


def test_secrets_do_not_go_from_tls_to_plain_text(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([says.redirect("http://example.com/"), says.ok()])
    fetch("https://example.com/", headers={"X-API-Key": "k1"})
    assert ["x-api-key" in asked.headers for asked in box.asked] == [True, False]


def test_an_upgrade_to_tls_keeps_the_headers(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([says.redirect("https://example.com/", 308), says.ok()])
    got = fetch("http://example.com/", headers={"X-API-Key": "k1"})
    assert got.url == "https://example.com/"
    assert ["x-api-key" in asked.headers for asked in box.asked] == [True, True]


def test_user_name_and_password_go_to_their_origin_and_show_nowhere(
    fetch: Fetcher, box: Any, says: Any
) -> None:
    box.answers.extend([says.redirect("http://other.example/"), says.ok()])
    got = fetch("http://bob:se%40cret@example.com/")
    assert box.asked[0].headers["authorization"] == "Basic Ym9iOnNlQGNyZXQ="
    assert "authorization" not in box.asked[1].headers
    assert "cret" not in repr(got)
    assert fetch("http://bob:se%40cret@example.com/x").url == "http://example.com/x"


def test_no_cookie_is_kept(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([
        b"HTTP/1.1 302 Found\r\nlocation: /x\r\nset-cookie: id=1\r\ncontent-length: 0\r\n\r\n",
        says.ok(set_cookie="id=2"),
    ])  # fmt: skip

    async def twice(egress: Egress) -> None:
        await egress.fetch("http://example.com/")
        await egress.fetch("http://example.com/")

    fetch.using(twice)
    assert not any("cookie" in asked.headers for asked in box.asked)


def test_five_redirects_and_no_more(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([*(says.redirect(f"/{n}") for n in range(5)), says.ok()])
    assert fetch("http://example.com/").url == "http://example.com/4"
    box.answers.extend(says.redirect(f"/{n}") for n in range(6))
    assert fetch.fails("http://example.com/").kind == "redirected"


def test_a_body_is_not_sent_on(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.append(says.redirect("http://other.example/", 307))
    error = fetch.fails("http://example.com/", method="POST", body=b"private")
    assert error.kind == "redirected"
    assert len(box.asked) == 1


def test_see_other_turns_a_post_into_a_get(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([says.redirect("/done", 303), says.ok()])
    fetch("http://example.com/", method="POST", body=b"x", headers={"Content-Type": "text/plain"})
    assert [asked.line.split()[0] for asked in box.asked] == ["POST", "GET"]
    assert box.asked[1].body == b""
    assert "content-type" not in box.asked[1].headers


def test_a_kept_method_keeps_its_body(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.extend([says.redirect("/again", 307), says.ok()])
    fetch("http://example.com/", method="POST", body=b"x")
    assert [asked.body for asked in box.asked] == [b"x", b"x"]


# --- limits ---------------------------------------------------------------------------------------


def test_a_long_body_is_cut(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.append(says.ok(b"x" * 1000))
    got = fetch("http://example.com/", max_bytes=100)
    assert got.body == b"x" * 100
    assert got.truncated
    box.answers.append(says.ok(b"x" * 100))
    assert not fetch("http://example.com/", max_bytes=100).truncated


def test_an_endless_body_is_cut(fetch: Fetcher, box: Any) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    box.answers.append(endless)
    got = fetch("http://example.com/", max_bytes=300_000)
    assert len(got.body) == 300_000
    assert got.truncated


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb_costs_no_more_than_the_limit(
    fetch: Fetcher, box: Any, says: Any, encoding: str
) -> None:
    plain = bytes(200_000_000)
    bomb = gzip.compress(plain, 1) if encoding == "gzip" else zlib.compress(plain, 1)
    box.answers.append(says.ok(bomb, content_encoding=encoding))
    got = fetch("http://example.com/", max_bytes=1_000_000)
    assert got.truncated
    assert len(got.body) == 1_000_000


@pytest.mark.parametrize("encoding", ["gzip, gzip", "br", "x-unheard-of"])
def test_a_bomb_in_a_bomb_is_refused(fetch: Fetcher, box: Any, says: Any, encoding: str) -> None:
    bomb = gzip.compress(gzip.compress(bytes(10_000)))
    box.answers.append(says.ok(bomb, content_encoding=encoding))
    assert fetch.fails("http://example.com/").kind == "bad_answer"


def test_a_broken_encoding(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.append(says.ok(b"not gzip at all", content_encoding="gzip"))
    assert fetch.fails("http://example.com/").kind == "bad_answer"


def test_compressed_text_is_unpacked(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.append(says.ok(gzip.compress(b"hello"), content_encoding="gzip"))
    assert fetch("http://example.com/").body == b"hello"


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\n\r\nx"], ids=["no head", "no end"])
def test_silence_ends_at_the_deadline(fetch: Fetcher, box: Any, head: bytes) -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        await writer.drain()
        await asyncio.Event().wait()

    box.answers.append(silent)
    error = fetch.fails("http://example.com/", deadline_s=0.3)
    assert error.kind == "timeout"
    assert error.retryable


def test_a_body_in_drops_ends_at_the_deadline(fetch: Fetcher, box: Any) -> None:
    async def dripping(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    box.answers.append(dripping)
    assert fetch.fails("http://example.com/", deadline_s=0.3).kind == "timeout"


def test_endless_headers_are_refused(fetch: Fetcher, box: Any) -> None:
    async def endless(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x-more: " + b"y" * 1000 + b"\r\n")
            await writer.drain()

    box.answers.append(endless)
    assert fetch.fails("http://example.com/").kind == "bad_answer"


def test_a_name_server_that_does_not_answer(fetch: Fetcher, box: Any) -> None:
    async def silent(name: str) -> tuple[str, ...]:
        await asyncio.Event().wait()
        return ()

    box.resolve = silent
    assert fetch.fails("http://example.com/", deadline_s=0.2).kind == "timeout"


@pytest.mark.parametrize(
    "answer", [b"220 smtp ready\r\n\r\n", b"HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n", b""]
)
def test_what_is_not_http(fetch: Fetcher, box: Any, answer: bytes) -> None:
    async def other(writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    box.answers.append(other)
    assert fetch.fails("http://example.com/").kind == "bad_answer"


def test_only_asked_for_types_are_read(fetch: Fetcher, box: Any, says: Any) -> None:
    box.answers.append(says.ok(b"x", content_type="image/png; q=1"))
    assert fetch("http://example.com/", accept=("image/",)).media_type == "image/png"
    assert box.asked[0].headers["accept"] == "image/*"
    box.answers.append(says.ok(b"x", content_type="image/png"))
    error = fetch.fails("http://example.com/", accept=("text/html", "application/json"))
    assert error.kind == "unsupported_type"
    assert "image/png" in error.message


def test_a_status_is_no_error(fetch: Fetcher, box: Any) -> None:
    box.answers.append(b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\n\r\nno")
    got = fetch("http://example.com/", accept=("text/html",))
    assert (got.status, got.body) == (404, b"no")


# --- TLS ------------------------------------------------------------------------------------------


def test_tls_is_verified_against_the_name(fetch: Fetcher, box: Any) -> None:
    assert fetch("https://example.com/").status == 200
    assert box.connected == [(PUBLIC, 443)]
    assert box.server_names == ["example.com"]


def test_a_certificate_for_another_name_is_refused(fetch: Fetcher, box: Any) -> None:
    box.dns["wrong.example"] = [[PUBLIC]]
    error = fetch.fails("https://wrong.example/")
    assert error.kind == "tls"
    assert not box.asked


def test_an_unknown_authority_is_refused(fetch: Fetcher, box: Any) -> None:
    box.client_context = None
    assert fetch.fails("https://example.com/").kind == "tls"
    assert not box.asked


# --- what errors say ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    [
        "http://bob:hunter2@10.0.0.1/hunter2?token=hunter2#hunter2",
        "http://bob:hunter2@unknown.example/hunter2?token=hunter2",
        "http://bob:hunter2@example.com:99999/hunter2",
        "http://bob:hunter2@exa mple.com/hunter2",
        "ftp://bob:hunter2@example.com/hunter2",
        "https://bob:hunter2@wrong.example/hunter2?sig=hunter2",
    ],
)
def test_errors_tell_no_secrets(fetch: Fetcher, box: Any, url: str) -> None:
    box.dns["wrong.example"] = [[PUBLIC]]
    error = fetch.fails(url)
    assert "hunter2" not in f"{error} {error.target} {error!r} {error.remedy}"


def test_a_refusal_says_what_to_do(fetch: Fetcher) -> None:
    error = fetch.fails("http://10.0.0.1/")
    assert isinstance(error, BlockedAddress)
    assert "private" in error.message
    assert "tools.ssrfWhitelist" in error.message
    assert error.target == "10.0.0.1"


def test_the_environments_proxies_are_ignored(
    fetch: Fetcher, box: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9/")
    assert fetch("http://example.com/").status == 200
    assert box.connected == [(PUBLIC, 80)]
    assert json.dumps(box.asked[0].headers).count("proxy") == 0
