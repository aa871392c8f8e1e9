"""A turn that somebody else than the agent as configured answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from nanobot.events import TurnFinished
from nanobot.messages import StopReason, ToolResult
from nanobot.profile import Profile


def test_a_profile_has_its_tools_instructions_and_place(
    lab: Any, lab_module: Any, tmp_path: Path
) -> None:
    seen: list[Any] = []

    async def look(request: Any, turn: Any) -> str:
        seen.append((turn.profile, turn.workspace.root))
        return "x" * 20_000

    for name in ("mcp_git_log", "mcp_git_push", "write_file"):
        lab.tool(name, look)
    lab.model.calls(lab_module.call("mcp_git_log")).says("done")
    profile = Profile(
        name="clerk",
        tools=("mcp_git_*",),
        instructions="Answer briefly.",
        workspace=tmp_path / "elsewhere",
    )
    lab.run("go", profile=profile)
    first = lab.model.requests[0]
    assert [tool.name for tool in first.tools] == ["mcp_git_log", "mcp_git_push"]
    assert first.system[-1].text == "Answer briefly."
    assert str(tmp_path / "elsewhere") in first.system[0].text
    assert seen == [("clerk", tmp_path / "elsewhere")]
    assert list((tmp_path / "elsewhere").rglob("*.txt")), "a long result lies where it can be read"


def test_a_profile_chooses_the_model_unless_the_session_did(lab: Any) -> None:
    lab.presets["fast"] = (lab.choice(model="m-fast"),)
    lab.presets["deep"] = (lab.choice(model="m-deep"),)
    lab.model.says("one").says("two").says("three")
    clerk = Profile(name="clerk", preset="fast")
    lab.run("go", profile=clerk)
    lab.run("/model deep")
    lab.run("go", profile=clerk)
    assert [request.model for request in lab.model.requests] == ["m-fast", "m-deep"]


def test_a_profile_has_a_limit_of_its_own(lab: Any, lab_module: Any) -> None:
    lab.tool("look", lambda request, turn: _done(), read_only=True)
    for number in range(3):
        lab.model.calls(lab_module.call("look", id=str(number)))
    lab.model.says("that is all I know")
    events = lab.run("go", profile=Profile(name="clerk", max_iterations=1))
    end = lab.of(events, TurnFinished)[0]
    assert end.stop_reason is StopReason.MAX_ITERATIONS


async def _done() -> ToolResult:
    return ToolResult.ok("seen")
