"""``nanobot channels login websocket``: where clients connect, and with what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nanobot_gateway.cli.channels import command

TOKEN = "correct-horse-battery"


def log_in(folder: Path, section: dict[str, Any], account: str = "default") -> list[str]:
    config = folder / "config.json"
    config.write_text(json.dumps({"channels": {"websocket": section}}))
    config.chmod(0o600)
    arguments = ["login", "websocket", "--account", account, "-c", str(config)]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    assert TOKEN not in result.output
    return result.output.splitlines()


@pytest.mark.parametrize(
    ("section", "url"),
    [
        ({}, "ws://127.0.0.1:8765/?client_id=NAME"),
        ({"port": 9000, "path": "/ws"}, "ws://127.0.0.1:9000/ws?client_id=NAME"),
        ({"host": "::1"}, "ws://[::1]:8765/?client_id=NAME"),
        ({"host": "0.0.0.0", "token": TOKEN}, "ws://localhost:8765/?client_id=NAME"),
        ({"sslCertfile": "c", "sslKeyfile": "k"}, "wss://127.0.0.1:8765/?client_id=NAME"),
        (
            {"publicWsUrl": "wss://bot.example.com/ws", "path": "/ws"},
            "wss://bot.example.com/ws?client_id=NAME",
        ),
        ({"unixSocketPath": "/run/nano.sock"}, "ws+unix:/run/nano.sock:/?client_id=NAME"),
    ],
)
def test_the_url_is_the_one_that_clients_open(
    tmp_path: Path, section: dict[str, Any], url: str
) -> None:
    assert log_in(tmp_path, section)[0] == f"Clients connect to {url}"


@pytest.mark.parametrize(
    ("section", "told"),
    [
        ({}, ["for other clients set channels.websocket.token"]),
        ({"token": TOKEN}, ["channels.websocket.token, as ?token="]),
        ({"websocketRequiresToken": False}, ["need no token"]),
        (
            {"tokenIssuePath": "/token"},
            ["GET http://127.0.0.1:8765/token gives this machine a token"],
        ),
        (
            {"token": TOKEN, "tokenIssuePath": "/token", "publicWsUrl": "wss://bot.example.com/"},
            ["channels.websocket.token, as", "GET https://bot.example.com/token gives who shows"],
        ),
        (
            {
                "tokenIssuePath": "/token",
                "tokenIssueSecret": TOKEN,
                "trustedProxyAuth": {
                    "trustedPeerCidrs": ["10.0.0.5/32"],
                    "assertionHeader": "X-User",
                },
            },
            ["channels.websocket.tokenIssueSecret", "trusted proxy needs no token"],
        ),
    ],
)
def test_it_is_said_where_a_token_comes_from(
    tmp_path: Path, section: dict[str, Any], told: list[str]
) -> None:
    lines = log_in(tmp_path, section)[1:]
    assert len(lines) == len(told)
    assert all(each in line for each, line in zip(told, lines, strict=True))


def test_an_account_is_named_by_its_own_setting(tmp_path: Path) -> None:
    section = {"accounts": {"desk": {"port": 9001, "token": TOKEN}}}
    url, token = log_in(tmp_path, section, "desk")
    assert ":9001/" in url and "channels.websocket.accounts.desk.token" in token
