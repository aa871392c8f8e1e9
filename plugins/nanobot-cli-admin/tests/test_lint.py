"""Advice on settings that are valid and likely to hurt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nanobot.admin import Config
from nanobot_cli_admin.lint import lint

Load = Callable[..., Config]


def warned(config: Config) -> list[str]:
    findings = list(lint(config.effective))
    assert all(finding.severity == "warning" for finding in findings)
    assert "OPENAI" not in str(findings)
    return [finding.path for finding in findings]


def test_secrets_for_commands(loaded: Load) -> None:
    names = ["LANG", "OPENAI_API_KEY", "GH_TOKEN", "db_password", "MY_SECRET_FILE", 5]
    for key in ("allowedEnvKeys", "allowed_env_keys"):
        config = loaded({"tools": {"exec": {key: names}}})
        assert warned(config) == [f"tools.exec.allowedEnvKeys[{index}]" for index in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("server", "key"),
    [
        ({"command": "sh", "url": "https://example.com"}, "command"),
        ({"url": "http://127.0.0.1:1"}, "url"),
        ({"url": "http://localhost./x"}, "url"),
        ({"url": "http://[::1]:5/"}, "url"),
        ({"url": "http://10.1.2.3/"}, "url"),
        ({"url": "http://169.254.169.254/"}, "url"),
        ({"command": "x", "env": {"LD_PRELOAD": "/tmp/x.so"}}, "env.LD_PRELOAD"),
        ({"command": "x", "env": {"DYLD_INSERT_LIBRARIES": "x"}}, "env.DYLD_INSERT_LIBRARIES"),
        ({"command": "x", "env": {"NODE_OPTIONS": "x"}}, "env.NODE_OPTIONS"),
        ({"command": "x", "env": {"PYTHONPATH": "x"}}, "env.PYTHONPATH"),
    ],
)
def test_mcp_servers(loaded: Load, server: dict[str, Any], key: str) -> None:
    for name in ("mcpServers", "mcp_servers"):
        assert warned(loaded({"tools": {name: {"a": server}}})) == [f"tools.mcpServers.a.{key}"]


@pytest.mark.parametrize(
    "server",
    [
        {"url": "https://example.com/mcp"},
        {"url": "http://[half"},
        {"url": 5},
        {"url": "http://10.9.9.9/"},
        {"command": "npx", "args": ["x"], "env": {"PATH": "/bin", "ENV": "prod", "HOME": "/"}},
        {"env": []},
        5,
    ],
)
def test_what_needs_no_advice(loaded: Load, server: object) -> None:
    tools = {"ssrfWhitelist": ["10.9.0.0/16"], "mcpServers": {"a": server}}
    assert warned(loaded({"tools": tools})) == []


@pytest.mark.parametrize("value", [[], {}, {"allowedEnvKeys": 5}, {"allowedEnvKeys": {"A_KEY": 1}}])
def test_odd_shapes_are_left_to_the_plugin(loaded: Load, value: object) -> None:
    assert warned(loaded({"tools": {"exec": value if value else {}}})) == []
    assert list(lint({"tools": {"mcpServers": value}})) == []
