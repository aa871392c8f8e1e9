"""What the tests share: a conversation with a scripted server, and a server that others wrote."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing import load_spec, open_spec, run
from nanobot_testing.contracts.provider import KEY
from nanobot_testing.servers.messages import MessagesServer

Check = Callable[[Any, MessagesServer], Awaitable[None]]

AIMOCK = "@copilotkit/aimock@^1.43"
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
    fixtures = tmp_path_factory.mktemp("aimock") / "fixtures.json"
    fixtures.write_text(json.dumps({"fixtures": FIXTURES}), encoding="utf-8")
    command = [_installed(), "--port", "0", "--fixtures", str(fixtures)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            address = next(
                found[0]
                for line in process.stdout
                if (found := re.search(r"http://127\.0\.0\.1:\d+", line))
            )
            yield address
        finally:
            process.terminate()


def _installed() -> str:
    """Return the path of aimock's program, installed on first use."""
    folder = Path(tempfile.gettempdir()) / "nanobot-test-node"
    program = folder / "node_modules" / ".bin" / "llmock"
    if not shutil.which("node") or not shutil.which("npm"):
        _unavailable("node and npm are not installed")
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", AIMOCK],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            if done.returncode:
                _unavailable(f"npm install {AIMOCK} failed: {done.stderr[-300:]}")
    return str(program)


def _unavailable(reason: str) -> None:
    if os.environ.get("NANOBOT_TEST_STRICT") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
