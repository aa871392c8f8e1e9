"""Logins: kept private, used for one address only, renewed without a person where possible."""

from __future__ import annotations

import asyncio
import json
import stat
import time
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx2
import pytest
from mcp.shared.auth import OAuthClientInformationFull, OAuthToken
from nanobot.errors import ToolError
from nanobot_testing import run
from nanobot_testing.servers.wire import Reply, Request, ScriptedServer, json_reply
from nanobot_tool_mcp.callback import listening
from nanobot_tool_mcp.config import ServerConfig
from nanobot_tool_mcp.oauth import Tokens, scope_of, with_scope

URL = "https://mcp.example.com/mcp"


def config(url: str = URL, **more: Any) -> ServerConfig:
    return ServerConfig.model_validate({"url": url, "auth": "oauth", **more})


def store(folder: Path, section: ServerConfig, access: str, *, expires_in: int = 3600) -> Tokens:
    async def fill() -> None:
        await tokens.set_client_info(OAuthClientInformationFull(client_id="c1"))
        await tokens.set_tokens(
            OAuthToken(access_token=access, refresh_token="refresh-1", expires_in=expires_in)
        )

    tokens = Tokens(folder, "web", section)
    run(fill())
    return tokens


def test_tokens_are_private_and_survive(tmp_path: Path) -> None:
    store(tmp_path, config(), "access-1")
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    again = Tokens(tmp_path, "web", config())
    assert again.present
    tokens = run(again.get_tokens())
    assert tokens and tokens.access_token == "access-1"
    assert again.expires_at and 3500 < again.expires_at - time.time() <= 3600


def test_tokens_are_for_one_address_only(tmp_path: Path) -> None:
    store(tmp_path, config(), "access-1")
    other = Tokens(tmp_path, "web", config("https://evil.example.com/mcp"))
    assert not other.present
    assert run(other.get_tokens()) is None
    assert run(other.get_client_info()) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"server": "x"}'])
def test_a_damaged_file_is_no_login(tmp_path: Path, damage: bytes) -> None:
    store(tmp_path, config(), "access-1")
    (path,) = tmp_path.iterdir()
    path.write_bytes(damage)
    assert not Tokens(tmp_path, "web", config()).present


def test_a_configured_client_is_used(tmp_path: Path) -> None:
    section = config(clientId="mine", clientSecret="s3cret")
    client = run(Tokens(tmp_path, "web", section).get_client_info())
    assert client and (client.client_id, client.client_secret) == ("mine", "s3cret")


def test_a_login_that_fails_loses_nothing(tmp_path: Path) -> None:
    store(tmp_path, config(), "access-1")
    fresh = Tokens(tmp_path, "web", config(), keep=False)
    assert not fresh.present
    run(fresh.set_tokens(OAuthToken(access_token="half")))
    kept = run(Tokens(tmp_path, "web", config()).get_tokens())
    assert kept and kept.access_token == "access-1"
    fresh.save()
    saved = run(Tokens(tmp_path, "web", config()).get_tokens())
    assert saved and saved.access_token == "half"


def test_scopes_are_added_to_the_login_page() -> None:
    page = "https://a.test/authorize?client_id=c&scope=one+two"
    assert scope_of(page) == "one two"
    assert scope_of(with_scope(page, "two three", "")) == "one two three"
    assert with_scope("https://a.test/authorize?client_id=c") == (
        "https://a.test/authorize?client_id=c"
    )


class Guarded(ScriptedServer):
    """An MCP server that takes one access token, and renews it."""

    base_path = "/mcp"
    refreshed = ""

    def answer(self, request: Request) -> Reply:
        if request.path == "/token":
            form = parse_qs(request.body.decode())
            self.refreshed = form["refresh_token"][0]
            token = {"access_token": "access-2", "token_type": "Bearer", "expires_in": 3600}
            return json_reply(token)
        if request.path != "/mcp" or request.method != "POST":
            return Reply(status=404, chunked=False)
        if request.headers.get("authorization") != "Bearer access-2":
            return Reply(status=401, chunked=False)
        message = request.json
        if "id" not in message:
            return Reply(status=202, chunked=False)
        results: dict[str, Any] = {
            "initialize": {
                "protocolVersion": "2025-11-25",
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "guarded", "version": "1"},
            },
            "tools/list": {"tools": [{"name": "echo", "inputSchema": {"type": "object"}}]},
            "tools/call": {"content": [{"type": "text", "text": "inside"}]},
        }
        answer = {"jsonrpc": "2.0", "id": message["id"]}
        if message["method"] not in results:
            return json_reply({**answer, "error": {"code": -32601, "message": "unknown"}})
        return json_reply({**answer, "result": results[message["method"]]})


def test_an_expired_token_is_renewed_without_a_person(bench: Any) -> None:
    async def check() -> None:
        async with Guarded() as server:
            section = {"url": server.base_url, "auth": "oauth"}
            logins = bench.data / "logins"
            await asyncio.to_thread(
                store, logins, config(server.base_url), "access-1", expires_in=-10
            )
            async with bench.open({"web": section}) as tool:
                assert (await bench.call(tool, "mcp_web_echo")).text == "inside"
            assert server.refreshed == "refresh-1"
            kept = await Tokens(logins, "web", config(server.base_url)).get_tokens()
            assert kept and (kept.access_token, kept.refresh_token) == ("access-2", "refresh-1")

    run(check())


def test_without_a_login_nothing_is_sent_and_the_owner_is_told(bench: Any) -> None:
    async def check() -> None:
        async with Guarded() as server:
            section = {"url": server.base_url, "auth": "oauth"}
            async with bench.open({"web": section}) as tool:
                assert bench.names(tool) == ["mcp_status"]
                assert "nanobot mcp login web" in (await bench.call(tool, "mcp_status")).text
            assert server.requests == []

    run(check())


def test_a_login_that_was_withdrawn_is_asked_for_again(bench: Any) -> None:
    async def check() -> None:
        async with Guarded() as server:
            section = {"url": server.base_url, "auth": "oauth"}
            logins = bench.data / "logins"
            await asyncio.to_thread(store, logins, config(server.base_url), "withdrawn")
            async with bench.open({"web": section}) as tool:
                assert "nanobot mcp login web" in (await bench.call(tool, "mcp_status")).text

    run(check())


# --- the page that the browser comes back to ----------------------------------------------------


def visit(*paths: str) -> Any:
    """Visit pages of the callback server; return what came of the wait, and the statuses."""

    async def go() -> Any:
        async with listening(0) as callback, httpx2.AsyncClient(trust_env=False) as browser:
            statuses = []
            for path in paths:
                page = await browser.get(callback.url.replace("/callback", path))
                statuses.append(page.status_code)
            try:
                return await callback.wait(), statuses
            except ToolError as error:
                return error.message, statuses

    return run(go())


def test_the_browser_brings_the_code() -> None:
    result, statuses = visit("/favicon.ico", "/callback", "/callback?code=c&state=s&iss=i")
    assert (result.code, result.state, result.iss) == ("c", "s", "i")
    assert statuses == [404, 404, 200]


def test_a_refused_login_says_so() -> None:
    message, statuses = visit("/callback?error=access_denied", "/callback?code=late")
    assert "access_denied" in message
    assert statuses == [200, 200]


def test_noise_on_the_port_does_not_end_the_wait() -> None:
    async def go() -> str:
        async with listening(0) as callback:
            port = httpx2.URL(callback.url).port
            for noise in (b"\0" * 10, b"GET\r\n", b"x" * 200_000 + b"\n"):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(noise)
                writer.close()
            async with httpx2.AsyncClient(trust_env=False) as browser:
                await browser.get(f"{callback.url}?code=c")
            return (await callback.wait()).code

    assert run(go()) == "c"


def test_the_file_holds_what_it_says(tmp_path: Path) -> None:
    tokens = store(tmp_path, config(), "access-1")
    tokens.want("files:write")
    (path,) = tmp_path.iterdir()
    assert json.loads(path.read_text())["wanted_scope"] == "files:write"
    assert Tokens(tmp_path, "web", config()).wanted_scope == "files:write"
