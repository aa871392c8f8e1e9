"""Who may cause what: tools and commands state the role that they need."""

from __future__ import annotations

from typing import Any

import pytest
from nanobot.events import ToolFinished
from nanobot.messages import Role, StopReason

ORDER = [Role.GUEST, Role.USER, Role.OWNER]


@pytest.mark.parametrize("speaker", ORDER)
@pytest.mark.parametrize("needed", ORDER)
def test_a_tool_above_ones_role_is_not_there(
    lab: Any, lab_module: Any, speaker: Role, needed: Role
) -> None:
    tool = lab.returns("restart", role=needed)
    lab.model.calls(lab_module.call("restart")).says("ok")
    events = lab.run("go", role=speaker)
    allowed = ORDER.index(speaker) >= ORDER.index(needed)
    assert [t.name for t in lab.model.requests[0].tools] == (["restart"] if allowed else [])
    (finished,) = lab.of(events, ToolFinished)
    assert finished.result.kind == ("" if allowed else "unknown_tool")
    assert len(tool.requests) == allowed


@pytest.mark.parametrize("speaker", ORDER)
@pytest.mark.parametrize("command", ["/help", "/new", "/status", "/model", "/history"])
def test_a_command_above_ones_role_is_refused(lab: Any, speaker: Role, command: str) -> None:
    end = lab.finished(lab.run(command, role=speaker))
    refused = speaker is Role.GUEST and command != "/help"
    assert ("needs the role “user”; yours is “guest”" in end.content) == refused
    assert end.stop_reason is StopReason.COMMAND


def test_a_refused_reset_resets_nothing(lab: Any) -> None:
    lab.model.says("one").says("two")
    lab.run("hi")
    lab.run("/new", role=Role.GUEST)
    lab.run("again")
    assert len(lab.model.requests[-1].messages) == 3
