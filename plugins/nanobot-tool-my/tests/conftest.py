"""What the tests of self-knowledge share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import Role, ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.desk import Chats, ScriptedDesk
from nanobot_tool_my.tool import open_tool


@pytest.fixture
def desk() -> ScriptedDesk:
    desk = ScriptedDesk()
    desk.known = {
        "model": "m-1",
        "max_iterations": "20",
        "max_tokens": "9",
        "model_presets": "a, b",
    }
    return desk


@pytest.fixture
def my(tmp_path: Path, desk: ScriptedDesk) -> Callable[..., ToolResult]:
    """Return a function that calls the tool, newly opened each time."""
    spec = load_spec("tools.my")

    def call(
        action: str, key: str = "", *, user: str = "alice", session: str = "", **given: Any
    ) -> ToolResult:
        config = spec.config(allow_set=given.pop("allow", True))

        async def go() -> ToolResult:
            async with open_tool(config, make_context(spec, tmp_path, desk=desk)) as tool:
                turn = make_turn(tmp_path, user=user, role=Role.USER)
                if session:
                    turn = replace(turn, scope=replace(turn.scope, session_key=session))
                arguments = {"action": action, "key": key, **given}
                try:
                    return await tool.call(ToolRequest(name="my", arguments=arguments), turn)
                except ToolError as error:
                    return ToolResult.error(error.kind, error.message)

        return run(go())

    return call


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chats:
    return Chats(tmp_path, monkeypatch, "tools.my")
