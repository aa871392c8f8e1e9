"""``nanobot channels login telegram`` against the server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nanobot_gateway.cli.channels import command
from nanobot_testing import run


@pytest.fixture
def log_in(api: Any, tmp_path: Path) -> Any:
    """Return a function that runs the command; it gives the result, and what was called."""

    def go(account: str = "default", **section: object) -> tuple[Result, list[str]]:
        async def inside() -> tuple[Result, list[str]]:
            async with api.BotApi() as server:
                config = tmp_path / "config.json"
                whole = {**server.config, **section}
                config.write_text(json.dumps({"channels": {"telegram": whole}}))
                config.chmod(0o600)
                arguments = ["login", "telegram", "--account", account, "-c", str(config)]
                result = await asyncio.to_thread(CliRunner().invoke, command, arguments)
                return result, [call.method for call in server.calls]

        return run(inside())

    return go


def test_a_good_token_tells_whose_it_is(log_in: Any) -> None:
    result, calls = log_in()
    assert result.exit_code == 0, result.output
    assert "channels.telegram.token" in result.output and "https://t.me/" in result.output
    assert calls == ["getMe"], "nothing is changed at Telegram, and no message fetched"


@pytest.mark.parametrize(
    ("account", "section"),
    [
        ("default", {"token": "110201543:AAwrongwrongwrongwrongwrongwrongwro"}),
        ("default", {"token": None}),
        ("work", {"accounts": {"work": {"token": "1:AAwrongwrongwrongwrongwrongwrongwrong"}}}),
    ],
)
def test_a_wrong_token_is_one_line(log_in: Any, account: str, section: dict[str, Any]) -> None:
    result, _ = log_in(account, **section)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    setting = "token" if account == "default" else f"accounts.{account}.token"
    assert f"channels.telegram.{setting}" in line and "BotFather" in line
    assert "AAwrong" not in line


def test_a_server_that_is_not_there_is_one_line(log_in: Any) -> None:
    result, _ = log_in(apiBase="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert result.output.startswith("Error: Telegram can not be reached")
    assert len(result.output.splitlines()) == 1
