"""Servers on the network: through the guard, bounded, with secrets kept where they belong."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
from nanobot.context import Network
from nanobot_testing import run
from nanobot_testing.servers.wire import Act, Reply, Request, ScriptedServer, json_reply, sse
from nanobot_tool_mcp import connection, dialing

TOOL = {"name": "echo", "description": "Do echo.", "inputSchema": {"type": "object"}}


class McpServer(ScriptedServer):
    """Speaks streamable HTTP, answers with JSON; `called` is what a tool call is answered with."""

    base_path = "/mcp"

    def __init__(self) -> None:
        super().__init__()
        self.called: list[Reply] = []
        self.session = "s1"

    def heard(self, method: str) -> list[Request]:
        return [r for r in self.requests if r.body and r.json.get("method") == method]

    def answer(self, request: Request) -> Reply:
        if request.method != "POST":
            return Reply(status=405, chunked=False)
        message = request.json
        method = message["method"]
        if "id" not in message:
            return Reply(status=202, chunked=False)
        if method == "initialize":
            about = {"name": "web", "version": "1"}
            result = {
                "protocolVersion": message["params"]["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": about,
            }
            return self.result(message, result, **{"mcp-session-id": self.session})
        if request.headers.get("mcp-session-id") != self.session:
            return Reply(status=404 if "mcp-session-id" in request.headers else 400, chunked=False)
        if method == "tools/list":
            return self.result(message, {"tools": [TOOL]})
        if self.called:
            return self.called.pop(0)
        return self.result(message, {"content": [{"type": "text", "text": "from the web"}]})

    @staticmethod
    def result(message: Any, result: Any, **headers: str) -> Reply:
        return json_reply({"jsonrpc": "2.0", "id": message["id"], "result": result}, **headers)


def talk(bench: Any, check: Any, **section: Any) -> None:
    """Run a check with the plugin open and a server on the loopback address."""

    async def go() -> None:
        async with McpServer() as server:
            servers = {"web": {"url": server.base_url, **section}}
            async with bench.open(servers) as tool:
                await check(server, tool)

    run(go())


def test_headers_go_with_every_request(bench: Any) -> None:
    async def check(server: McpServer, tool: Any) -> None:
        assert (await bench.call(tool, "mcp_web_echo")).text == "from the web"
        assert {r.headers.get("x-key") for r in server.requests} == {"s3cret-value"}
        assert {r.headers["accept-encoding"] for r in server.requests} == {"identity"}

    talk(bench, check, headers={"X-Key": "s3cret-value"})


def test_a_forgotten_session_is_opened_anew_and_the_call_repeated(bench: Any) -> None:
    async def check(server: McpServer, tool: Any) -> None:
        server.session = "s2"
        assert (await bench.call(tool, "mcp_web_echo")).text == "from the web"
        assert len(server.heard("initialize")) == 2
        assert len(server.heard("tools/call")) == 2

    talk(bench, check)


def test_a_request_that_is_refused_twice_is_an_error(bench: Any) -> None:
    async def check(server: McpServer, tool: Any) -> None:
        server.called = [Reply(status=404, chunked=False)] * 2
        assert (await bench.call(tool, "mcp_web_echo")).kind == "failed"
        assert len(server.heard("tools/call")) == 2

    talk(bench, check)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(headers={"content-type": "application/json"}, body=[b"{", Act.RESET]),
        Reply(body=[Act.RESET]),
        Reply(body=[b": hello\n\n", Act.CLOSE]),
        Reply(body=[sse("{not json", event="message")]),
        Reply(status=500, chunked=False),
        Reply(status=200, headers={"content-type": "text/html"}, body=[b"<p>Sign in"]),
        Reply(
            headers={"content-type": "application/json", "content-encoding": "gzip"},
            body=[gzip.compress(b" " * 100_000_000)],
        ),
        Reply(headers={"content-type": "application/json"}, body=[b" " * 1_000_000] * 17),
        json_reply({"jsonrpc": "2.0", "id": 1, "result": {"content": "wrong"}}),
    ],
)
def test_a_bad_answer_costs_its_own_call_only(bench: Any, reply: Reply) -> None:
    async def check(server: McpServer, tool: Any) -> None:
        server.called = [reply]
        assert (await bench.call(tool, "mcp_web_echo")).is_error
        assert (await bench.call(tool, "mcp_web_echo")).text == "from the web"

    talk(bench, check, toolTimeout=1)


def test_an_answer_that_never_comes_is_given_up(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PING_S", 0.2)

    async def check(server: McpServer, tool: Any) -> None:
        server.called = [Reply(body=[Act.HANG])]
        assert (await bench.call(tool, "mcp_web_echo")).kind == "timeout"
        await bench.until(lambda: server.heard("notifications/cancelled"))
        assert (await bench.call(tool, "mcp_web_echo")).text == "from the web"

    talk(bench, check, toolTimeout=0.3)


@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_elsewhere_takes_no_header_along(bench: Any, status: int) -> None:
    async def check(server: McpServer, tool: Any) -> None:
        async with ScriptedServer() as other:
            other.reply(json_reply({}))
            away = Reply(status=status, headers={"location": other.base_url}, chunked=False)
            server.called = [away] * 2
            assert (await bench.call(tool, "mcp_web_echo")).is_error
            assert other.requests == []

    talk(bench, check, headers={"Authorization": "Bearer s3cret-value"})


def test_failures_hold_no_address_and_no_secret(
    bench: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    async def go() -> None:
        async with ScriptedServer() as server:
            server.reply(Reply(status=401, chunked=False))
            url = f"{server.base_url}/mcp?key=s3cret-value"
            servers = {"web": {"url": url, "headers": {"X-Key": "s3cret-value"}}}
            async with bench.open(servers) as tool:
                text = (await bench.call(tool, "mcp_status")).text
                assert "HTTP 401" in text
                assert "s3cret" not in text

    run(go())
    said = capsys.readouterr()
    assert "s3cret" not in said.out + said.err


# --- which addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "found", "own"),
    [
        ("http://127.0.0.1:8000/mcp", (), ("127.0.0.1",)),
        ("http://[::1]:8000/mcp", (), ("::1",)),
        ("http://localhost:8000/mcp", ("127.0.0.1", "::1"), ("127.0.0.1", "::1")),
        ("http://nas:8000/mcp", ("192.168.1.9",), ("192.168.1.9",)),
        ("http://nas.lan./mcp", ("192.168.1.9",), ("192.168.1.9",)),
        ("https://mcp.example.com/mcp", ("10.0.0.1",), ()),
    ],
)
def test_only_a_host_that_is_private_by_its_name_opens_itself(
    monkeypatch: pytest.MonkeyPatch, url: str, found: tuple[str, ...], own: tuple[str, ...]
) -> None:
    async def resolve(name: str) -> tuple[str, ...]:
        return found

    monkeypatch.setattr(dialing, "resolve", resolve)
    network = run(dialing._with_own_host(url, Network(allowed=("10.1.0.0/16",))))
    assert network.allowed == ("10.1.0.0/16", *own)


def test_a_public_name_that_leads_inside_is_refused(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import socket

    real = socket.getaddrinfo

    def look_up(host: Any, *rest: Any, **more: Any) -> Any:
        return real("127.0.0.1" if host == "mcp.example.com" else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)

    async def go() -> None:
        async with McpServer() as server:
            url = f"http://mcp.example.com:{server.port}/mcp"
            async with bench.open({"web": {"url": url}}) as tool:
                assert bench.names(tool) == ["mcp_status"]
                assert "may not reach" in (await bench.call(tool, "mcp_status")).text
            assert server.requests == []

    run(go())


def test_the_metadata_service_stays_closed_whatever_is_configured(bench: Any) -> None:
    async def go() -> None:
        async with bench.open({"web": {"url": "http://169.254.169.254/mcp"}}) as tool:
            assert "metadata" in (await bench.call(tool, "mcp_status")).text

    run(go())


def test_pinned_tools_of_a_blocked_server_say_so_by_kind(bench: Any) -> None:
    from nanobot_tool_mcp.catalog import Item
    from nanobot_tool_mcp.config import ServerConfig
    from nanobot_tool_mcp.pins import Pins, identity

    section = {"url": "http://169.254.169.254/mcp"}
    config = ServerConfig.model_validate(section)
    item = Item(kind="tool", ident="echo", name="echo", listing=json.loads(json.dumps(TOOL)))
    Pins(bench.data / "pins", "web", identity(config)).record([item])

    async def go() -> None:
        async with bench.open({"web": section}) as tool:
            assert (await bench.call(tool, "mcp_web_echo")).kind == "blocked_address"

    run(go())
