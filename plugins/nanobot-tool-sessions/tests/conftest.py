"""What the tests of looking back share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import Role, ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.desk import Chats, ScriptedDesk
from nanobot_tool_sessions.tool import open_tool


@pytest.fixture
def desk() -> ScriptedDesk:
    return ScriptedDesk()


@pytest.fixture
def look(tmp_path: Path, desk: ScriptedDesk) -> Callable[..., ToolResult]:
    """Return a function that calls a tool as Alice, who is a user."""
    spec = load_spec("tools.sessions")

    def call(
        name: str, *, user: str = "alice", role: Role = Role.USER, on: Any = None, **given: Any
    ) -> ToolResult:
        settings = {"searchDepth": given.pop("searchDepth")} if "searchDepth" in given else {}

        async def go() -> ToolResult:
            context = make_context(spec, tmp_path, desk=on or desk)
            async with open_tool(spec.config.model_validate(settings), context) as tool:
                turn = make_turn(tmp_path, user=user, role=role)
                try:
                    return await tool.call(ToolRequest(name=name, arguments=given), turn)
                except ToolError as error:
                    return ToolResult.error(error.kind, error.message)

        return run(go())

    return call


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chats:
    return Chats(tmp_path, monkeypatch, "tools.sessions")
