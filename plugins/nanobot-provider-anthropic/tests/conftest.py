"""What the tests share: a conversation with a scripted server, and a server that others wrote."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY
from nanobot_testing.node import aimock as run_aimock
from nanobot_testing.servers.messages import MessagesServer

Check = Callable[[Any, MessagesServer], Awaitable[None]]

FIXTURES: list[dict[str, Any]] = [
    {
        "match": {"userMessage": "think"},
        "response": {"content": "Thought through.", "reasoning": "Let me see."},
    },
    {
        "match": {"userMessage": "weather", "hasToolResult": False},
        "response": {"toolCalls": [{"name": "read_file", "arguments": '{"path":"ä.txt"}'}]},
    },
    {
        "match": {"userMessage": "weather", "hasToolResult": True},
        "response": {"content": "It is sunny."},
    },
    {
        "match": {"userMessage": "too fast"},
        "response": {
            "error": {"message": "Slow down", "type": "rate_limit_error"},
            "status": 429,
        },
    },
    {
        "match": {"userMessage": "hello"},
        "response": {"content": "Hi there, this is an answer in several pieces. 🐈"},
    },
]


@pytest.fixture
def talk(tmp_path: Path) -> Callable[..., None]:
    """Run a check with an open provider and the server that it talks to."""

    def start(check: Check, *, config: Mapping[str, object] | None = None, path: str = "") -> None:
        async def go() -> None:
            async with MessagesServer() as server:
                section = {"apiKey": KEY, "apiBase": server.base_url + path, **(config or {})}
                spec = load_spec("providers.anthropic")
                async with open_spec(spec, section, tmp_path) as provider:
                    await check(provider, server)

        run(go())

    return start


@pytest.fixture(scope="session")
def aimock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start a server of the vendors' dialects that the CopilotKit project wrote."""
    with run_aimock(FIXTURES, tmp_path_factory.mktemp("aimock")) as address:
        yield address
