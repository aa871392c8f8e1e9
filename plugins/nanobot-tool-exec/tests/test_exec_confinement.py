"""No sandbox is installed: what runs, what is refused, and what the refusal says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_restricted_workspace_needs_a_sandbox(execute: Any, workspace: Path) -> None:
    result = execute("touch ran", restricted=True, config={"sandbox": "auto"})
    assert result.kind == "sandbox_missing"
    for way_out in ("nanobot-sandbox-bwrap", "tools.restrictToWorkspace", "tools.exec.sandbox"):
        assert way_out in result.text
    assert not (workspace / "ran").exists()


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("sandbox", ["bwrap", "landlock"])
def test_a_chosen_sandbox_is_never_replaced_by_none(
    execute: Any, workspace: Path, sandbox: str, restricted: bool
) -> None:
    result = execute("touch ran", restricted=restricted, config={"sandbox": sandbox})
    assert result.kind == "sandbox_missing"
    assert f"pip install nanobot-sandbox-{sandbox}" in result.text
    assert not (workspace / "ran").exists()


@pytest.mark.parametrize(("sandbox", "restricted"), [("auto", False), ("", False), ("", True)])
def test_unconfined_commands_run_where_the_owner_accepts_them(
    execute: Any, sandbox: str, restricted: bool
) -> None:
    result = execute("echo hi", restricted=restricted, config={"sandbox": sandbox})
    assert result.text == "hi\nExit code: 0"
