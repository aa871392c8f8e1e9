"""Arguments: aliases, limits, nonsense; and where commands run."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot_tool_exec.output import Capture
from nanobot_tool_exec.process import Job, Outcome, Runner


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[Job]:
    """Note what would be run."""
    seen: list[Job] = []

    async def note(runner: Runner, job: Job) -> Outcome:
        seen.append(job)
        return Outcome(stdout=Capture(), stderr=Capture(), code=0, limit_s=None)

    monkeypatch.setattr(Runner, "run", note)
    return seen


@pytest.mark.parametrize(
    ("asked", "configured", "limit"),
    [
        (None, 60, 60),
        (None, 0, None),
        (None, 3600, 3600),
        (5, 60, 5),
        (5, 0, 5),
        (120, 60, 120),
        (601, 60, 600),
        (999_999_999, 0, 600),
        (0, 60, 1),
        (-5, 60, 1),
    ],
)
def test_the_time_limit(
    execute: Any, jobs: list[Job], asked: int | None, configured: int, limit: int | None
) -> None:
    given = {} if asked is None else {"timeout": asked}
    assert not execute("true", config={"timeout": configured}, **given).is_error
    assert jobs[0].timeout == limit


def test_what_models_send(
    execute: Any, corpus: Callable[[str], list[dict[str, str]]], jobs: list[Job]
) -> None:
    for item in corpus("tool_args"):
        arguments = json.loads(item["input"] or "{}")
        result = execute(**arguments)
        if item["expected"] == "clamped":
            assert not result.is_error and jobs[-1].timeout == 600
        else:
            assert result.kind == "bad_arguments", item["id"]
    assert len(jobs) == 1


def test_aliases(execute: Any, workspace: Path) -> None:
    (workspace / "sub").mkdir()
    assert execute(cmd="pwd", workdir="sub").text.startswith(f"{workspace}/sub\n")
    assert execute(command="pwd", cmd="pwd").text.startswith(f"{workspace}\n")
    result = execute(command="echo a", cmd="echo b")
    assert result.kind == "bad_arguments" and "`cmd`" in result.text


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"command": ""},
        {"command": " \n"},
        {"command": None},
        {"command": ["ls"]},
        {"command": "echo \x00"},
        {"command": "echo \ud800"},
        {"command": "true", "working_dir": "\x00"},
        {"command": "true", "timeout": "soon"},
        {"command": "true", "timeout": True},
        {"command": "true", "max_output_chars": 1.5},
        {"command": "true " + "x" * 200_000},
    ],
)
def test_nonsense_is_an_error_that_helps(execute: Any, arguments: dict[str, object]) -> None:
    result = execute(**arguments)
    assert result.kind == "bad_arguments"
    assert result.text.endswith(".")


def test_other_tools_are_not_served(execute: Any) -> None:
    assert execute("true", name="read_file").kind == "not_found"


def test_unicode_goes_through_whole(execute: Any) -> None:
    assert execute("echo 'größe 🐈'").text == "größe 🐈\nExit code: 0"


def test_several_lines_and_bash_syntax(execute: Any) -> None:
    assert execute("for i in {1..3}; do\n  echo $i\ndone").text == "1\n2\n3\nExit code: 0"


def test_the_workspace_is_where_commands_run(execute: Any, workspace: Path) -> None:
    assert execute("pwd").text.startswith(f"{workspace}\n")


def test_a_working_folder_may_be_absolute(execute: Any, workspace: Path, tmp_path: Path) -> None:
    (workspace / "sub").mkdir()
    inside = execute("pwd", working_dir=str(workspace / "sub"))
    assert inside.text.startswith(f"{workspace}/sub\n")
    outside = execute("pwd", working_dir=str(tmp_path))
    assert outside.text.startswith(f"{tmp_path}\n")


@pytest.mark.parametrize("folder", ["..", "/", "sub/../.."])
def test_a_working_folder_stays_inside_when_restricted(
    execute: Any, workspace: Path, folder: str
) -> None:
    (workspace / "sub").mkdir()
    result = execute("pwd", working_dir=folder, restricted=True)
    assert result.kind == "outside_workspace"
    assert not execute("pwd", working_dir="sub", restricted=True).is_error


@pytest.mark.parametrize("folder", ["missing", "file.txt"])
def test_a_working_folder_must_be_one(execute: Any, workspace: Path, folder: str) -> None:
    (workspace / "file.txt").write_text("no folder")
    result = execute("pwd", working_dir=folder)
    assert result.kind in {"not_found", "not_a_folder"} and folder in result.text


def test_a_workspace_that_is_gone_is_named(execute: Any, workspace: Path) -> None:
    workspace.rmdir()
    result = execute("pwd")
    assert result.kind == "not_a_folder" and str(workspace) in result.text
