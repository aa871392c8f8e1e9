"""``nanobot channels login feishu`` against the server."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nanobot_gateway.cli.channels import command
from nanobot_testing import run


@pytest.fixture
def log_in(feishu: ModuleType, tmp_path: Path) -> Any:
    """Return a function that runs the command; it gives the result, and the paths asked for."""

    def go(**section: object) -> tuple[Result, list[str]]:
        async def inside() -> tuple[Result, list[str]]:
            async with feishu.FeishuServer() as server:
                config = tmp_path / "config.json"
                whole = {**server.config, **section}
                config.write_text(json.dumps({"channels": {"feishu": whole}}))
                config.chmod(0o600)
                arguments = ["login", "feishu", "-c", str(config)]
                result = await asyncio.to_thread(CliRunner().invoke, command, arguments)
                return result, [call.path for call in server.calls]

        return run(inside())

    return go


def test_a_good_app_tells_its_bot(log_in: Any) -> None:
    result, asked = log_in()
    assert result.exit_code == 0, result.output
    assert "the bot Nanobot" in result.output
    assert asked == ["/bot/v3/info"], "nothing is written, and nothing connected"


@pytest.mark.parametrize(
    ("section", "named"),
    [
        ({"appSecret": "of-another-app"}, "appSecret"),
        ({"appSecret": None}, "appSecret"),
        ({"appId": ""}, "appId"),
    ],
)
def test_a_wrong_app_is_one_line(log_in: Any, section: dict[str, Any], named: str) -> None:
    result, _ = log_in(**section)
    assert result.exit_code == 1
    (line,) = result.output.splitlines()
    assert f"channels.feishu.{named}" in line and "developer console" in line
    assert "of-another-app" not in line


def test_a_platform_that_is_not_there_is_one_line(log_in: Any) -> None:
    result, _ = log_in(domain="http://127.0.0.1:9")
    assert result.exit_code == 1
    assert "can not be reached" in result.output and len(result.output.splitlines()) == 1
