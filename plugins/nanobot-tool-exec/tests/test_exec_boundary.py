"""What a command's text says of the files that it writes: a hint that needs no sandbox."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from nanobot_tool_exec.hints import written_outside


@pytest.mark.parametrize(
    "command",
    [
        "make 2>/dev/null",
        "make > /dev/null 2>&1",
        "make &> log.txt",
        "echo x > sub/../y",
        "echo x >> {ws}/y",
        "echo x > ~/y",
        "cat < /etc/issue",
        "echo 'a > /etc/issue'",
        "echo x > /dev/stderr",
        "echo x > /dev/fd/2",
        'echo x > "$HOME/y"',
        "cat <<END\n> /etc/issue\nEND",
        "test 1 -gt 0",
        "echo 'unclosed",
    ],
)
def test_no_violation(tmp_path: Path, command: str) -> None:
    filled = command.replace("{ws}", str(tmp_path))
    assert written_outside(filled, cwd=tmp_path, home=tmp_path, writable=[tmp_path]) == ""


@pytest.mark.parametrize(
    ("command", "target"),
    [
        ("echo x > /etc/issue", "/etc/issue"),
        ("echo x >/etc/issue", "/etc/issue"),
        ("true && echo x >> /etc/issue", "/etc/issue"),
        ("make 2>/dev/null > /etc/issue", "/etc/issue"),
        ("echo x > ../y", "../y"),
        ("echo x > sub/../../y", "sub/../../y"),
        ("echo x > /etc/iss''ue", "/etc/issue"),
        ("echo x > /dev/sda", "/dev/sda"),
        ("echo x &> /etc/issue", "/etc/issue"),
        ("echo x > link/y", "link/y"),
    ],
)
def test_violation(tmp_path: Path, command: str, target: str) -> None:
    workspace = tmp_path / "ws"
    workspace.mkdir()
    (workspace / "link").symlink_to(tmp_path)
    found = written_outside(command, cwd=workspace, home=workspace, writable=[workspace])
    assert found == target


def test_a_violation_is_refused_with_its_target(execute: Any, workspace: Path) -> None:
    result = execute("touch ran; echo x > /etc/issue", restricted=True)
    assert result.kind == "outside_workspace" and result.target == "/etc/issue"
    assert "hard policy boundary" in result.text
    assert not (workspace / "ran").exists()


def test_unrestricted_there_is_no_outside(execute: Any, tmp_path: Path) -> None:
    assert not execute(f"echo x > {tmp_path}/y").is_error
    assert (tmp_path / "y").read_text() == "x\n"


def test_bound_folders_are_inside(execute: Any, tmp_path: Path) -> None:
    config = {"sandboxRwBinds": [str(tmp_path)]}
    assert not execute(f"echo x > {tmp_path}/y", restricted=True, config=config).is_error
