"""``nanobot mcp``."""

from __future__ import annotations

import json
from importlib.metadata import entry_points
from typing import Any

import pytest
from click.testing import CliRunner
from nanobot.errors import NanobotError
from nanobot_testing import run


@pytest.fixture
def cli(bench: Any) -> Any:
    """Run a command with a configuration of the fake server, and return what it printed."""
    (entry,) = entry_points(group="nanobot.v1.cli", name="mcp")
    command = entry.load()

    def go(*arguments: str, servers: Any = None, code: int = 0, answer: str = "") -> str:
        path = bench.folder / "config.json"
        document = {"tools": {"mcpServers": servers or {"fake": bench.fake()}}}
        path.write_text(json.dumps(document))
        result = CliRunner().invoke(command, [*arguments, "-c", str(path)], input=answer)
        if isinstance(result.exception, NanobotError):
            assert code == 1
            return str(result.exception)
        assert result.exit_code == code, result.output
        return result.output

    return go


def test_list_connects_to_nothing(cli: Any, bench: Any) -> None:
    off = bench.fake(enabled=False)
    said = cli("list", servers={"fake": bench.fake(), "off": off, "web": {"url": "http://x/sse"}})
    assert "fake (stdio): not seen yet" in said
    assert "off (stdio): off" in said
    assert "web (sse): not seen yet" in said
    assert bench.pids() == []


def test_check_connects_and_pins(cli: Any, bench: Any) -> None:
    assert "tool echo: Do echo." in cli("check", "fake")
    assert "fake (stdio): offers 1" in cli("list")
    bench.lists("echo", start="exit")
    assert "no licence" in cli("check", "fake", code=1)


def test_trust_shows_all_of_a_change_before_it_asks(cli: Any, bench: Any) -> None:
    cli("check", "fake")
    assert "Nothing of fake waits" in cli("trust", "fake")
    tail = "and the very end"
    about = "Do echo. " + "x" * 9_000 + "\u200b" + tail
    bench.lists(
        "other", tools=[{"name": "echo", "description": about, "inputSchema": {"type": "object"}}]
    )
    assert "changed tool echo" in cli("check", "fake")
    said = cli("trust", "fake", answer="n\n", code=1)
    assert "changed tool echo" in said
    assert "new tool other" in said
    assert "Do echo." in said and tail in said and "\\u200b" in said
    assert "changed tool echo" in cli("list")
    assert "Approved" in cli("trust", "fake", answer="y\n")
    assert "fake (stdio): offers 2" in cli("list")
    assert "nanobot mcp trust" not in cli("list")


def test_trust_approves_what_was_shown_and_nothing_newer(cli: Any, bench: Any) -> None:
    from nanobot_tool_mcp.config import ServerConfig
    from nanobot_tool_mcp.pins import Pins, identity

    cli("check", "fake")
    pins = Pins(
        bench.folder / "plugins" / "tools.mcp" / "pins",
        "fake",
        identity(ServerConfig.model_validate(bench.fake())),
    )
    bench.lists("echo", "first")
    cli("check", "fake")
    shown = pins.changes()
    bench.lists("echo", "first", "second")
    cli("check", "fake")
    pins.approve(shown)
    assert [str(one) for one in pins.changes()] == ["new tool second"]


def test_yes_does_not_ask(cli: Any, bench: Any) -> None:
    cli("check", "fake")
    bench.lists("echo", "other")
    cli("check", "fake")
    assert "Approved" in cli("trust", "fake", "--yes")


def test_names_that_are_not_there(cli: Any) -> None:
    for name in ("check", "trust", "login", "logout"):
        assert "no server 'nope'; it has: fake" in cli(name, "nope", code=1)


def test_login_needs_a_server_that_asks_for_it(cli: Any) -> None:
    assert 'auth to "oauth"' in cli("login", "fake", code=1)


def test_logout_forgets(cli: Any, bench: Any) -> None:
    from nanobot_tool_mcp.config import ServerConfig
    from nanobot_tool_mcp.oauth import Tokens

    section = {"url": "https://x.test/mcp", "auth": "oauth"}
    logins = bench.folder / "plugins" / "tools.mcp" / "logins"
    tokens = Tokens(logins, "web", ServerConfig.model_validate(section))
    tokens.save()
    assert "Forgot" in cli("logout", "web", servers={"web": section})
    assert "Nobody is logged in" in cli("logout", "web", servers={"web": section})


def test_a_login_that_can_not_be_is_told(cli: Any) -> None:
    section = {"url": "http://127.0.0.1:1/mcp", "auth": "oauth"}
    assert "can not be reached" in cli("login", "web", servers={"web": section}, code=1)


def test_a_running_instance_sees_what_was_approved(cli: Any, bench: Any) -> None:
    """The command and a gateway share the file; see also the tests of pins."""
    cli("check", "fake")
    bench.lists("echo", "other")
    cli("check", "fake")

    async def check() -> None:
        from nanobot.context import PluginContext
        from nanobot.log import get
        from nanobot_tool_mcp.config import McpConfig
        from nanobot_tool_mcp.tool import open_tool

        data = bench.folder / "plugins" / "tools.mcp"
        context = PluginContext(id="tools.mcp", log=get(), data=data)
        section = McpConfig.model_validate({"fake": bench.fake()})
        async with open_tool(section, context) as tool:
            assert bench.names(tool) == ["mcp_fake_echo", "mcp_status"]
            await bench.until(lambda: approve())
            assert bench.names(tool) == ["mcp_fake_echo", "mcp_fake_other"]

    def approve() -> str:
        return str(cli("trust", "fake", "-y"))

    run(check())
