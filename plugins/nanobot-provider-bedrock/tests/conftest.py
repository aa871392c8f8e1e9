"""What the tests share: a conversation with a scripted server, and AWS credentials of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY
from nanobot_testing.servers.converse import ConverseServer

Check = Callable[[Any, ConverseServer], Awaitable[None]]


@pytest.fixture(autouse=True)
def no_aws(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep the AWS account of whoever runs the tests out, and the metadata server too."""
    import os

    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., None]:
    """Run a check with an open provider and the server that it talks to."""

    def start(check: Check, *, config: Mapping[str, object] | None = None) -> None:
        async def go() -> None:
            async with ConverseServer() as server:
                section = {
                    "apiKey": KEY,
                    "region": "eu-west-1",
                    "apiBase": server.base_url,
                    **(config or {}),
                }
                spec = load_spec("providers.bedrock")
                async with open_spec(
                    spec, section, tmp_path, plugin="providers.bedrock"
                ) as provider:
                    await check(provider, server)

        run(go())

    return start
