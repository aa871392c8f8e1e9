"""What is special about Landlock: when it works, and what it does where nothing can be covered."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from nanobot_sandbox_landlock import enforce
from nanobot_sandbox_landlock.sandbox import Landlock
from nanobot_testing import run
from nanobot_testing.node import unavailable
from nanobot_tool_exec.sandbox import Jail, Launch

Shell = Callable[..., str]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    sessions = tmp_path / "ws" / "sessions"
    sessions.mkdir(parents=True)
    (sessions / "a.jsonl").write_text("CANARY")
    (tmp_path / "ws" / "sub").mkdir()
    (tmp_path / "ws" / "ok.txt").write_text("ok\n")
    return tmp_path / "ws"


@pytest.fixture
def shell(workspace: Path) -> Shell:
    """Return a function that runs a command and gives what it printed."""

    def call(command: str, *, covers: bool = True, network: bool = False, path: str = "") -> str:
        sandbox = Landlock()
        if reason := run(sandbox.available()):
            unavailable(reason)
        if not covers:
            sandbox = Landlock()  # as where the system grants no mount namespace
        jail = Jail(
            cwd=workspace,
            writable=(workspace,),
            hidden=(workspace / "sessions",),
            network=network,
        )
        env = {"PATH": path or os.defpath}
        with sandbox.confine(Launch(argv=("/bin/sh", "-c", command), env=env), jail) as launch:
            done = subprocess.run(
                launch.argv,
                env=launch.env,
                cwd=workspace,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        return done.stdout

    return call


def test_where_nothing_can_be_covered_transcripts_stay_hidden(
    shell: Shell, workspace: Path
) -> None:
    said = shell(
        "cat ok.txt sessions/a.jsonl; echo x > sessions/b; echo x >> sessions/a.jsonl; "
        "mv sessions s; echo more >> ok.txt; echo new > sub/new; ls; echo new > new",
        covers=False,
    )
    assert said.startswith("ok\n") and "CANARY" not in said
    assert (workspace / "sessions" / "a.jsonl").read_text() == "CANARY"
    assert [path.name for path in (workspace / "sessions").iterdir()] == ["a.jsonl"]
    assert (workspace / "ok.txt").read_text() == "ok\nmore\n"
    assert (workspace / "sub" / "new").read_text() == "new\n"
    assert not (workspace / "new").exists(), "the README says that this is not possible"


def test_the_temporary_folder_is_its_own_and_gone_afterwards(shell: Shell) -> None:
    said = shell('echo x > "$TMPDIR/mine"; cat "$TMPDIR/mine"; echo "$TMPDIR"; ls /tmp')
    content, folder, refused = said.splitlines()
    assert content == "x" and "Permission denied" in refused
    assert not Path(folder).exists()


def test_programs_that_can_not_be_run_do_not_stand_in_the_way(shell: Shell, tmp_path: Path) -> None:
    program = tmp_path / "hidden" / "ls"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho mine\n")
    program.chmod(0o755)
    assert "ok.txt\n" in shell("ls", path=f"{program.parent}:/usr/bin:/bin")


def test_sockets_of_the_system_are_out_of_reach_even_with_the_network(shell: Shell) -> None:
    command = "/usr/bin/python3 -c 'import socket as s; s.socket(s.AF_INET); s.socket(s.AF_UNIX)'"
    assert "Address family not supported" in shell(command, network=True)


@pytest.mark.parametrize(("version", "words"), [(0, "has no Landlock"), (5, "Linux 6.12")])
def test_older_kernels_are_refused(
    monkeypatch: pytest.MonkeyPatch, version: int, words: str
) -> None:
    monkeypatch.setattr(enforce, "version", lambda: version)
    assert words in run(Landlock().available())


def test_a_sandbox_that_can_not_be_built_runs_nothing(workspace: Path) -> None:
    """The script is given a rule that the kernel refuses."""
    argv = ("/bin/sh", "-c", "echo ran")
    jail = Jail(cwd=workspace, writable=(workspace,))
    with Landlock().confine(Launch(argv=argv, env={}), jail) as launch:
        broken = [*launch.argv]
        broken[broken.index("filter") + 1] = "00" * 8
        done = subprocess.run(broken, env=launch.env, capture_output=True, text=True)
    assert done.returncode and "ran" not in done.stdout
    assert "could not be built" in done.stderr
