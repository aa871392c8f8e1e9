"""The shell tool in the sandbox: what a command sees, and what it does not."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path
from typing import Any

import pytest
from nanobot.tool import ToolRequest
from nanobot_sandbox_bwrap.mounts import file_system
from nanobot_testing import load_spec, make_turn, open_spec, run
from nanobot_tool_exec.sandbox import Jail

BOTH = pytest.mark.parametrize("restricted", [True, False])


@BOTH
def test_a_workspace_within_the_data_folder(execute: Any, tmp_path: Path, restricted: bool) -> None:
    """The usual layout: ~/.nanobot/workspace, with the transcripts in it."""
    data = tmp_path / "home" / ".nanobot"
    root = data / "workspace"
    (root / "sessions").mkdir(parents=True)
    (root / "sessions" / "a.jsonl").write_text("CANARY")
    (data / "config.json").write_text("CANARY")
    (root / "notes.txt").write_text("mine\n")
    command = (
        "cat notes.txt; echo more > new.txt; cat sessions/* ../config.json; ls -A .. sessions; "
        "mv sessions s; mv ../../.nanobot ../../x; echo x > ../probe; echo x > sessions/probe"
    )
    if restricted:
        command = command.partition("; echo x > ../probe")[0]
    result = execute(command, restricted=restricted, root=root, denied=(data, root / "sessions"))
    assert result.text.startswith("mine\n") and "CANARY" not in result.text
    assert "config.json\n" not in result.text.partition("STDERR")[0]
    assert (root / "new.txt").read_text() == "more\n"
    assert sorted(path.name for path in data.iterdir()) == ["config.json", "workspace"]
    assert [path.name for path in (root / "sessions").iterdir()] == ["a.jsonl"]


def test_what_holds_the_data_keeps_its_name(execute: Any, tmp_path: Path) -> None:
    data = tmp_path / "a" / "b" / "data"
    data.mkdir(parents=True)
    (data / "config.json").write_text("CANARY")
    result = execute(
        f"cd {tmp_path}; mv a x; mv a/b a/y; mv a/b/data a/b/z; cat a/b/data/* a/b/z/* x/b/data/*",
        restricted=False,
        denied=(data,),
    )
    assert "CANARY" not in result.text and (data / "config.json").exists()


def test_a_denied_file_can_not_be_read(execute: Any, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text("CANARY")
    result = execute(f"cat {key}; ls {key}", restricted=False, denied=(key,))
    assert "CANARY" not in result.text and "Permission denied" in result.text
    assert key.read_text() == "CANARY"


@BOTH
def test_binds_of_the_owner(execute: Any, tmp_path: Path, restricted: bool) -> None:
    for name in ("read", "write"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "there").write_text(f"{name}\n")
    result = execute(
        f"cat {tmp_path}/*/there; touch {tmp_path}/write/new {tmp_path}/read/new",
        restricted=restricted,
        sandboxRoBinds=[str(tmp_path / "read"), str(tmp_path / "missing")],
        sandboxRwBinds=[str(tmp_path / "write")],
    )
    assert result.text.startswith("read\nwrite\n")
    assert (tmp_path / "write" / "new").exists() and not (tmp_path / "read" / "new").exists()


def test_what_is_hidden_stays_so_when_it_is_bound(execute: Any, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "config.json").write_text("CANARY")
    for binds in (str(data), str(tmp_path)):
        result = execute(f"cat {data}/config.json", sandboxRwBinds=[binds], denied=(data,))
        assert "CANARY" not in result.text


def test_each_command_has_its_own_temporary_folder(execute: Any) -> None:
    assert execute("echo x > /tmp/mine; cat /tmp/mine").text.startswith("x\n")
    assert "No such file" in execute("cat /tmp/mine").text


def test_the_temporary_folder_is_bounded(workspace: Path) -> None:
    options = file_system(Jail(cwd=workspace), temporary=12345)
    assert options[options.index("--size") + 1] == "12345"


@BOTH
def test_processes_are_numbered_anew(execute: Any, restricted: bool) -> None:
    result = execute("ls /proc | grep -c '^[0-9]'; echo $$", restricted=restricted)
    count, own = result.text.splitlines()[:2]
    assert int(count) < 10 and int(own) < 10


@BOTH
def test_nobody_is_root(execute: Any, restricted: bool) -> None:
    assert int(execute("id -u", restricted=restricted).text.splitlines()[0]) != 0


def test_sockets_of_services_are_not_there(execute: Any) -> None:
    result = execute("find /run -type s | wc -l; touch /run/x", restricted=False)
    assert result.text.startswith("0\n") and "Read-only" in result.text


def test_the_network_when_it_is_granted(execute: Any) -> None:
    listed = "python3 -c 'import socket; print(len(socket.if_nameindex()))'"
    alone = execute(listed, network=False, restricted=False)
    assert alone.text.startswith("1\n")
    inside = execute("cat /proc/net/route | wc -l", network=True)
    outside = len(Path("/proc/net/route").read_text().splitlines())
    assert inside.text.startswith(f"{outside}\n")


def test_limits_of_processes_and_core_dumps(execute: Any) -> None:
    assert execute("ulimit -u; ulimit -c").text.startswith("1024\n0\n")


def test_commands_run_beside_each_other(open_exec: Any, workspace: Path) -> None:
    """Each of two commands waits for the other's message."""
    for name in ("a", "b"):
        os.mkfifo(workspace / name)

    async def go() -> None:
        async with open_exec() as tool:
            turn = make_turn(workspace)
            commands = ("echo one > a; cat b", "cat a; echo two > b")
            calls = [ToolRequest(name="exec", arguments={"command": c}) for c in commands]
            first, second = await asyncio.gather(*(tool.call(call, turn) for call in calls))
            assert (first.text, second.text) == ("two\nExit code: 0", "one\nExit code: 0")

    run(go())


def test_a_conversation(open_exec: Any, workspace: Path) -> None:
    async def go() -> None:
        async with open_exec() as tool:
            turn = make_turn(workspace)

            async def call(name: str, **arguments: object) -> str:
                result = await tool.call(ToolRequest(name=name, arguments=arguments), turn)
                return str(result.text)

            started = await call("exec", command="python3 -iq", yield_time_ms=0)
            found = re.search(r"session_id: (\S+)", started)
            assert found
            chars = "print(6 * 7)\n"
            said = await call("write_stdin", session_id=found[1], chars=chars, wait_for="42")
            assert "42\n" in said
            ended = await call("write_stdin", session_id=found[1], terminate=True)
            assert "was ended" in ended

    run(go())


def test_a_time_limit_ends_all(execute: Any, workspace: Path) -> None:
    os.mkfifo(workspace / "alive")
    alive = os.open(workspace / "alive", os.O_RDONLY | os.O_NONBLOCK)
    result = execute(
        "trap '' TERM; exec 3> alive; (setsid sleep 1000 &); echo up >&3; sleep 1000; sleep 1000",
        timeout=1,
    )
    assert result.kind == "timeout"
    assert os.read(alive, 100) == b"up\n"
    assert os.read(alive, 100) == b"", "a process holds the pipe open"
    os.close(alive)


def test_a_program_that_is_missing_is_named(tmp_path: Path) -> None:
    async def go() -> str:
        config = {"program": "no-such-program"}
        async with open_spec(load_spec("sandboxes.bwrap"), config, tmp_path) as sandbox:
            return str(await sandbox.available())

    assert "no-such-program is not installed" in run(go())


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    program = tmp_path / "bwrap"
    program.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2; exit 1\n")
    program.chmod(0o755)

    async def go() -> str:
        config = {"program": str(program)}
        async with open_spec(load_spec("sandboxes.bwrap"), config, tmp_path) as sandbox:
            return str(await sandbox.available())

    assert "No permissions to create new namespace" in run(go())


def test_process_tables_of_other_trees_are_hidden(
    tmp_path: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = tmp_path / "a tree" / "proc"
    table.mkdir(parents=True)
    lines = (
        f"1 1 0:5 / /proc rw - proc proc rw\n2 1 0:5 / {tmp_path}/a\\040tree/proc rw - proc x rw"
    )
    listed = tmp_path / "mountinfo"
    listed.write_text(lines)
    monkeypatch.setattr("nanobot_sandbox_bwrap.mounts._MOUNTS", listed)
    options = file_system(Jail(cwd=workspace, everything=True), temporary=1)
    assert options[options.index(str(table)) - 1] == "--tmpfs"
