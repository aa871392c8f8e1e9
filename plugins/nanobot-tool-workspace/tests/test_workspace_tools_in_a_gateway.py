"""Tools of the workspace in a real gateway, next to those of plugins."""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from nanobot.messages import ToolResult
from nanobot.specs import ToolDefinition, ToolSpec
from nanobot_testing.lab import call

SOURCE = """
from nanobot.agent.tools import Tool

class Made(Tool):
    name = "{name}"
    description = "Do it."
    parameters = {{"type": "object", "properties": {{"n": {{"type": "integer", "maximum": 6}}}}}}

    async def execute(self, n):
        return f"the workspace says {{n}}"
"""


class Greeter:
    """A tool of a plugin."""

    async def call(self, request: Any, turn: Any) -> ToolResult:
        return ToolResult.ok("the plugin says hello")


@pytest.fixture
def greeter(chats: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("nanobot_tool_greet")

    @asynccontextmanager
    async def open_tool(config: Any, context: Any) -> Any:
        yield Greeter()

    module.open_tool = open_tool  # type: ignore[attr-defined]
    greet = ToolDefinition(name="greet", description="Greet.", parameters={"type": "object"})
    spec = ToolSpec(name="greet", factory="nanobot_tool_greet:open_tool", tools=(greet,))
    chats.shop.implement(module, "nanobot_tools", lambda: [spec])
    monkeypatch.setitem(sys.modules, module.__name__, module)
    chats.shop.install("tools.greet", module.__name__)


@pytest.mark.usefixtures("greeter")
def test_they_work_and_replace_nothing(chats: Any) -> None:
    folder = chats.workspace / "tools"
    folder.mkdir()
    for name in ("dice", "greet"):
        (folder / f"{name}.py").write_text(SOURCE.format(name=name))
    chats.shop.config["tools"] = {"workspace": {"trust": True}}
    chats.model.calls(call("dice", '{"n": "5"}'), call("dice", '{"n": 7}'), call("greet"))
    chats.model.says("Five.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("roll", user="bob")
        assert await chats.phone.hears(1) == ["Five."]

    chats.run(go)
    rolled, refused, greeted = chats.results()
    assert rolled.text.endswith("\nthe workspace says 5")
    assert refused.kind == "bad_arguments"
    assert greeted.text == "the plugin says hello"


@pytest.mark.usefixtures("greeter")
def test_the_agent_can_not_make_itself_tools(chats: Any) -> None:
    folder = chats.workspace / "tools"
    folder.mkdir()
    (folder / "dice.py").write_text("raise AssertionError('it was run')")
    chats.model.calls(call("dice", '{"n": 5}'), call("workspace_tools")).says("It waits.")

    async def go(gateway: Any) -> None:
        await chats.phone.says("roll", user="bob")
        assert await chats.phone.hears(1) == ["It waits."]

    chats.run(go)
    unknown, told = chats.results()
    assert unknown.kind == "unknown_tool"
    assert told.text.endswith("\ndice.py: it waits for the owner's approval: nanobot tools trust")
