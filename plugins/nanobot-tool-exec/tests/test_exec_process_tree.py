"""However a command ends, none of its processes is left."""

from __future__ import annotations

import asyncio
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec, run
from nanobot_tool_exec import process

DAEMON = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); "

BACKGROUND = [
    "sleep 1000 &",
    "sleep 1000 & echo done",
    "nohup sleep 1000 >/dev/null 2>&1 & disown",
    "(setsid sleep 1000 &)",
    "yes > /dev/null &",
    "trap '' TERM; sleep 1000 & echo done",
    f"python3 -c '{DAEMON} time.sleep(1000)'",
    "for i in 1 2 3 4 5 6 7 8 9 10; do (setsid sh -c 'sleep 1000; :' &); done",
]


@pytest.mark.parametrize("command", BACKGROUND)
def test_what_goes_to_the_background_ends_with_the_command(
    execute: Any, survivors: Callable[[], list[str]], command: str
) -> None:
    result = execute(command, timeout=30)
    assert not result.is_error
    assert result.text.endswith("Exit code: 0")
    assert survivors() == []


@pytest.mark.parametrize(
    "command",
    [
        "echo before; sleep 1000",
        "echo before; trap '' TERM INT HUP; sleep 1000; sleep 1000",
        "echo before; setsid sleep 1000 & sleep 1000",
        "echo before; while :; do echo x >> big; done",
    ],
)
def test_a_timeout_ends_all_and_keeps_the_output(
    execute: Any, survivors: Callable[[], list[str]], command: str
) -> None:
    result = execute(command, timeout=1)
    assert result.kind == "timeout"
    assert result.text.startswith("before")
    assert "timed out after 1 s" in result.text
    assert survivors() == []


def test_endless_output_is_cut_by_the_timeout(
    execute: Any, survivors: Callable[[], list[str]]
) -> None:
    result = execute("yes", timeout=1, max_output_chars=1000)
    assert result.kind == "timeout"
    assert "characters left out" in result.text and len(result.text) < 1500
    assert survivors() == []


def test_configuration_sets_the_usual_timeout(execute: Any) -> None:
    result = execute("sleep 1000", config={"timeout": 1})
    assert result.kind == "timeout"


@pytest.mark.parametrize("inner", ["sleep 1000", "trap '' TERM; sleep 1000; sleep 1000"])
def test_cancelling_ends_all(
    workspace: Path,
    tmp_path: Path,
    settings: dict[str, Any],
    survivors: Callable[[], list[str]],
    inner: str,
) -> None:
    started = workspace / "started"
    os.mkfifo(started)

    async def go() -> None:
        async with open_spec(load_spec("tools.exec"), settings, tmp_path) as tool:
            command = f"setsid sleep 1000 & echo up > started; {inner}"
            request = ToolRequest(name="exec", arguments={"command": command})
            call = asyncio.create_task(tool.call(request, make_turn(workspace, restricted=False)))
            assert await asyncio.to_thread(started.read_text) == "up\n"
            assert survivors() != []
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert survivors() == []

    run(go())


def test_cancelling_at_any_step_of_the_start_ends_all(
    workspace: Path, tmp_path: Path, settings: dict[str, Any], survivors: Callable[[], list[str]]
) -> None:
    async def go() -> None:
        async with open_spec(load_spec("tools.exec"), settings, tmp_path) as tool:
            request = ToolRequest(name="exec", arguments={"command": "setsid sleep 1000 & wait"})
            for steps in range(12):
                turn = make_turn(workspace, restricted=False)
                call = asyncio.create_task(tool.call(request, turn))
                for _ in range(steps):
                    await asyncio.sleep(0)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call
                assert survivors() == []

    run(go())


def test_after_a_second_cancel_closing_the_tool_waits(
    workspace: Path, tmp_path: Path, settings: dict[str, Any], survivors: Callable[[], list[str]]
) -> None:
    started = workspace / "started"
    os.mkfifo(started)

    async def go() -> None:
        async with open_spec(load_spec("tools.exec"), settings, tmp_path) as tool:
            command = "trap '' TERM; echo up > started; sleep 1000; sleep 1000"
            request = ToolRequest(name="exec", arguments={"command": command})
            call = asyncio.create_task(tool.call(request, make_turn(workspace, restricted=False)))
            assert await asyncio.to_thread(started.read_text) == "up\n"
            call.cancel()
            await asyncio.sleep(0)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            assert survivors() != []
        assert survivors() == []

    run(go())


HOST = """
import asyncio, os, sys
from pathlib import Path
from nanobot_tool_exec.process import Job, Runner
from nanobot_tool_exec.sandbox import Launch

command = "exec 3> alive; (setsid sleep 1000 &); echo up >&3; sleep 1000"
argv = ("/bin/sh", "-c", command)
job = Job(launch=Launch(argv=argv, env=dict(os.environ)), cwd=Path(sys.argv[1]), timeout=None)
asyncio.run(Runner().run(job))
"""


def test_the_death_of_nanobot_ends_all(workspace: Path, survivors: Callable[[], list[str]]) -> None:
    """Every process of the command holds the FIFO open; its end of file says they are gone."""
    os.mkfifo(workspace / "alive")
    alive = os.open(workspace / "alive", os.O_RDONLY | os.O_NONBLOCK)
    host = subprocess.Popen([sys.executable, "-c", HOST, str(workspace)])
    try:
        assert select.select([alive], [], [], 20)[0]
        assert os.read(alive, 100) == b"up\n"
        host.send_signal(signal.SIGKILL)
        host.wait()
        assert select.select([alive], [], [], 20)[0], "a process outlived nanobot"
        assert os.read(alive, 100) == b""
    finally:
        host.kill()
        host.wait()
        os.close(alive)


@pytest.mark.parametrize(
    "command", ["kill -9 $PPID; sleep 1000", "sleep 1000 & kill -9 $PPID", "kill -9 0"]
)
def test_killing_its_own_supervisor_frees_nothing(
    execute: Any, survivors: Callable[[], list[str]], command: str
) -> None:
    result = execute(command, timeout=30)
    assert not result.is_error and "Exit code: 0" not in result.text
    assert survivors() == []


def test_a_supervisor_that_was_stopped_is_replaced_by_a_sweep(
    execute: Any, survivors: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_PATIENCE_S", 0.2)
    result = execute("kill -STOP $PPID; sleep 1000", timeout=1)
    assert result.kind == "timeout"
    assert survivors() == []


def test_commands_run_beside_each_other(
    workspace: Path, tmp_path: Path, settings: dict[str, Any], survivors: Callable[[], list[str]]
) -> None:
    """Each of two commands waits for the other's message."""
    for name in ("a", "b"):
        os.mkfifo(workspace / name)

    async def go() -> None:
        async with open_spec(load_spec("tools.exec"), settings, tmp_path) as tool:
            turn = make_turn(workspace, restricted=False)
            commands = ("echo one > a; cat b", "cat a; echo two > b")
            calls = [ToolRequest(name="exec", arguments={"command": c}) for c in commands]
            first, second = await asyncio.gather(*(tool.call(call, turn) for call in calls))
            assert first.text == "two\nExit code: 0"
            assert second.text == "one\nExit code: 0"

    run(go())
    assert survivors() == []
