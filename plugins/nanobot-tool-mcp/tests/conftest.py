"""What the tests share: a server that can misbehave, and the plugin open with it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec
from nanobot_tool_mcp import stdio
from nanobot_tool_mcp import tool as tool_module

FAKE = Path(__file__).parent / "fake_server.py"


class Bench:
    """A folder with a fake server in it, and the plugin on top."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.work.mkdir()
        self.data = folder / "data" / "tools.mcp"
        self.lists("echo")

    # --- the fake server ------------------------------------------------------------------------

    def lists(self, *names: str, **more: Any) -> None:
        """Say what the server lists from now on; more is added to its lists."""
        schema = {"type": "object", "properties": {}}
        tools = [
            {"name": name, "description": f"Do {name}.", "inputSchema": schema} for name in names
        ]
        tools += more.pop("tools", [])
        temporary = self.folder / "list.new"
        temporary.write_text(json.dumps({"tools": tools, **more}))
        temporary.replace(self.folder / "list.json")

    def fake(self, **section: Any) -> dict[str, Any]:
        """Return the configuration of the fake server."""
        args = ["-I", "-S", str(FAKE), str(self.folder)]
        return {"command": sys.executable, "args": args, **section}

    def pids(self) -> list[int]:
        """Return the process ids of all that were started, oldest first."""
        path = self.folder / "pids"
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def heard(self, method: str) -> list[dict[str, Any]]:
        """Return the messages of a method that the server read."""
        lines = (self.folder / "heard.jsonl").read_text().splitlines()
        return [one for one in map(json.loads, lines) if one.get("method") == method]

    # --- the plugin -----------------------------------------------------------------------------

    @asynccontextmanager
    async def open(
        self, servers: Mapping[str, Any] | None = None, **section: Any
    ) -> AsyncIterator[Any]:
        """Open the plugin, by default with the fake server under the name ``fake``."""
        config = {"fake": self.fake(**section)} if servers is None else servers
        async with open_spec(
            load_spec("tools.mcp"), config, self.folder, plugin="tools.mcp"
        ) as tool:
            yield tool

    async def call(self, tool: Any, name: str, **arguments: Any) -> ToolResult:
        """Call a tool as the engine does; an error becomes a result."""
        request = ToolRequest(name=name, arguments=arguments, call_id="c1")
        try:
            result: ToolResult = await tool.call(request, make_turn(self.work))
        except ToolError as error:
            return ToolResult.error(error.kind, error.message, retryable=error.retryable)
        return result

    @staticmethod
    def names(tool: Any) -> list[str]:
        """Return the names of what is on offer."""
        return [definition.name for definition in tool.definitions()]

    @staticmethod
    async def until(condition: Any) -> None:
        """Wait for something that another process does."""
        while not condition():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    """Tell whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def alive() -> Any:
    return is_alive


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for servers that are new, however busy the machine is, and not for those that stay."""
    monkeypatch.setattr(tool_module, "FIRST_SIGHT_S", 20.0)
    monkeypatch.setattr(stdio, "_EXIT_S", 0.2)


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
