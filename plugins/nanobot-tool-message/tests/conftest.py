"""What the tests of messages share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.desk import Chats, ScriptedDesk
from nanobot_tool_message.tool import open_tool


@pytest.fixture
def desk() -> ScriptedDesk:
    return ScriptedDesk()


@pytest.fixture
def send(tmp_path: Path, desk: ScriptedDesk) -> Callable[..., ToolResult]:
    """Return a function that calls the tool in the folder ``work``."""
    spec = load_spec("tools.message")
    work = tmp_path / "work"
    work.mkdir()

    def call(content: str = "Hi.", *, id: str = "c1", turn: Any = None, **given: Any) -> ToolResult:
        settings = {key: given.pop(key) for key in ("maxFiles", "maxFileMegabytes") if key in given}

        async def go() -> ToolResult:
            config = spec.config.model_validate(settings)
            async with open_tool(config, make_context(spec, tmp_path, desk=desk)) as tool:
                request = ToolRequest(
                    name="message", arguments={"content": content, **given}, call_id=id
                )
                try:
                    return await tool.call(request, turn or make_turn(work))
                except ToolError as error:
                    return ToolResult.error(error.kind, error.message, target=error.target)

        return run(go())

    return call


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chats:
    return Chats(tmp_path, monkeypatch, "tools.message")
