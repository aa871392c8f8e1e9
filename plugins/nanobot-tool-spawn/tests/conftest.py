"""What the tests of subagents share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.profile import Profile
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_testing.desk import Chats, ScriptedDesk
from nanobot_tool_spawn.tool import open_tool


@pytest.fixture
def desk() -> ScriptedDesk:
    desk = ScriptedDesk()
    desk.kinds |= {name: Profile(name=name) for name in ("clerk", "researcher")}
    return desk


@pytest.fixture
def spawn(tmp_path: Path, desk: ScriptedDesk) -> Callable[..., list[ToolResult]]:
    """Return a function that makes some calls of the tool, one after the other."""
    spec = load_spec("tools.spawn")

    def calls(
        *given: dict[str, Any], ids: list[str] | None = None, on: Any = None, **settings: Any
    ) -> list[ToolResult]:
        async def go() -> list[ToolResult]:
            context = make_context(spec, tmp_path, desk=on or desk)
            async with open_tool(spec.config.model_validate(settings), context) as tool:
                results = []
                for n, arguments in enumerate(given):
                    id = ids[n] if ids else f"c{n}"
                    request = ToolRequest(name="spawn", arguments=arguments, call_id=id)
                    try:
                        results.append(await tool.call(request, make_turn(tmp_path)))
                    except ToolError as error:
                        results.append(ToolResult.error(error.kind, error.message))
                return results

        return run(go())

    return calls


@pytest.fixture
def chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chats:
    return Chats(tmp_path, monkeypatch, "tools.spawn")
