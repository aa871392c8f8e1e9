"""What the tests of questions share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.desk import Chats, ScriptedDesk
from nanobot_tool_ask.tool import open_tool


@pytest.fixture
def desk() -> ScriptedDesk:
    return ScriptedDesk()


@pytest.fixture
def ask(tmp_path: Path, desk: ScriptedDesk) -> Callable[..., ToolResult]:
    """Return a function that calls the tool."""
    spec = load_spec("tools.ask")

    def call(
        question: object = "Which one?", *, id: str = "c1", on: Any = None, **given: Any
    ) -> ToolResult:
        settings = {"waitMinutes": given.pop("waitMinutes")} if "waitMinutes" in given else {}

        async def go() -> ToolResult:
            context: PluginContext = make_context(spec, tmp_path, desk=on or desk)
            async with open_tool(spec.config.model_validate(settings), context) as tool:
                request = ToolRequest(
                    name="ask_user", arguments={"question": question, **given}, call_id=id
                )
                try:
                    return await tool.call(request, make_turn(tmp_path))
                except ToolError as error:
                    return ToolResult.error(error.kind, error.message)

        return run(go())

    return call


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chats:
    return Chats(tmp_path, monkeypatch, "tools.ask")
