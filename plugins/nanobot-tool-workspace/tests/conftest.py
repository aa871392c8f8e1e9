"""An instance with a workspace, and what a user does with it."""

from __future__ import annotations

import json
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.desk import Chats, ScriptedDesk
from nanobot_tool_workspace import base
from nanobot_tool_workspace.cli import command
from nanobot_tool_workspace.opening import open_tool

TOOL = """
from nanobot.agent.tools import Tool

class {cls}(Tool):
    name = "{name}"
    description = "Do {name}."
    parameters = {{"type": "object", "properties": {{"text": {{"type": "string"}}}}}}

    async def execute(self, text="nothing"):
        return "{name} heard " + text
"""


class Place:
    """An instance: its workspace, its command line, and its tools once they are open."""

    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "work"
        self.folder = self.workspace / "tools"
        self.folder.mkdir(parents=True)
        self.data = folder / "data" / "plugins" / "tools.workspace"
        self._config = folder / "data" / "config.json"
        self.configure({})

    def configure(self, section: dict[str, Any]) -> None:
        defaults = {"workspace": str(self.workspace)}
        document = {"agents": {"defaults": defaults}, "tools": {"workspace": section}}
        self._config.parent.mkdir(exist_ok=True)
        self._config.write_text(json.dumps(document))
        self._config.chmod(0o600)

    def write(self, file: str, name: str = "", **more: str) -> Path:
        """Write a file with a tool, or what is given as its source."""
        path = self.folder / file
        path.write_text(more.get("source") or TOOL.format(cls="Made", name=name or file[:-3]))
        return path

    def nanobot_tools(self, *arguments: str, answers: str = "") -> Result:
        """Run ``nanobot tools``."""
        given = [*arguments, "--config", str(self._config)]
        return CliRunner().invoke(command, given, input=answers)

    def open(self, work: Callable[[Any], Awaitable[Any]], trust: Any = "ask") -> Any:
        """Open the tools as a gateway does, and do something with them."""
        spec = load_spec("tools.workspace")
        desk = ScriptedDesk()
        desk.known["workspace"] = str(self.workspace)

        async def go() -> Any:
            context = make_context(spec, self.workspace, desk=desk)
            context = replace(context, data=self.data)
            async with open_tool(spec.config(trust=trust), context) as tool:
                return await work(tool)

        return run(go())

    def names(self, trust: Any = "ask") -> list[str]:
        """Return the names of the tools on offer."""

        async def look(tool: Any) -> list[str]:
            return [definition.name for definition in tool.definitions()]

        return list(self.open(look, trust))

    def call(self, name: str, trust: Any = "ask", **given: Any) -> Any:
        """Call a tool."""

        async def go(tool: Any) -> Any:
            turn = make_turn(self.workspace)
            return await tool.call(ToolRequest(name=name, arguments=given), turn)

        return self.open(go, trust)


@pytest.fixture(autouse=True)
def _names_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nanobot.agent.tools", base)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chats:
    return Chats(tmp_path, monkeypatch, "tools.workspace", "tools.greet")
