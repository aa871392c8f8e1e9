"""A command that hangs, forks and daemonises: however it ends, no process of it is left."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

MARK = "NANOBOT_FAULT_MARK"
DAEMON = (
    "python3 -c 'import os, time; os.fork() and os._exit(0); os.setsid(); "
    "os.fork() and os._exit(0); os.closerange(0, 99); time.sleep(1000)'"
)
SIGNALS = 'trap "" TERM INT HUP'
COMMANDS = {
    "hangs": "sleep 1000",
    "ignores signals": f"{SIGNALS}; sleep 1000; sleep 1000",
    "forks": 'for i in 1 2 3 4 5 6 7 8; do (setsid sh -c "sleep 1000; :" &); done; sleep 1000',
    "daemonises": f"{DAEMON}; sleep 1000",
}
ALL = f"{SIGNALS}; for i in 1 2 3; do (setsid sleep 1000 &); done; {DAEMON}; sleep 1000; sleep 1000"


class Marked:
    """Finds processes by a variable of their environment, wherever they have gone."""

    def __init__(self, mark: str) -> None:
        self._mark = f"{MARK}={mark}".encode()

    def pids(self, *others: int) -> list[int]:
        """Return the processes with the mark, without the given ones."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) not in (os.getpid(), *others):
                try:
                    if self._mark in (entry / "environ").read_bytes().split(b"\0"):
                        found.append(int(entry.name))
                except OSError:
                    continue
        return found

    def kill(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)


@pytest.fixture
def marked() -> Iterator[Marked]:
    made = Marked(uuid.uuid4().hex)
    yield made
    made.kill()


class Tool:
    """A gateway in which a command runs.

    Attributes:
        ran: A line for each time that the command ran.
    """

    def __init__(self, gateway: Any, marked: Marked, client: Any, ran: Path) -> None:
        self.gateway = gateway
        self.marked = marked
        self.client = client
        self.ran = ran

    @property
    def left(self) -> list[int]:
        return self.marked.pids(self.gateway.process.pid)


Begin = Callable[..., Tool]


@pytest.fixture
def begin(launch: Any, ledger: Any, marked: Marked, wait_for: Any) -> Begin:
    """Return a function that starts a gateway and has its tool run a command."""

    def go(command: str, *, flaw: str = "", **settings: Any) -> Tool:
        tools = {"exec": {"sandbox": "", "allowedEnvKeys": [MARK], **settings}}
        gateway = launch(config={"tools": tools}, flaw=flaw)
        gateway.environment[MARK] = marked._mark.decode().partition("=")[2]
        gateway.write()
        gateway.start()
        client = gateway.connect(ledger)
        ran = gateway.path.parent / "ran"
        client.send("#c0.run", f"run: echo x >> {ran}; {command}")
        tool = Tool(gateway, marked, client, ran)
        wait_for(ran.exists)
        assert tool.left, "the command is not seen to run"
        return tool

    return go


@pytest.mark.parametrize("command", COMMANDS)
def test_stopping_a_turn(begin: Begin, ledger: Any, command: str) -> None:
    tool = begin(COMMANDS[command])
    tool.client.send("#c0.stop", "/stop")
    tool.client.until("message", text="Stopped 1 task(s).")
    assert tool.left == []
    tool.client.ask(ledger.say("c0"))
    assert ledger.faultless, ledger


def test_a_time_limit(begin: Begin, ledger: Any) -> None:
    tool = begin(ALL, timeout=1)
    tool.client.until("turn_end")
    assert tool.left == []
    tool.client.ask(ledger.say("c0"))


@pytest.mark.parametrize("command", COMMANDS)
def test_killing_the_gateway(begin: Begin, ledger: Any, wait_for: Any, command: str) -> None:
    tool = begin(COMMANDS[command])
    tool.gateway.stop(signal.SIGKILL)
    wait_for(lambda: not tool.left)
    tool.gateway.start()
    tool.gateway.connect(ledger).ask(ledger.say("c0"))  # after the turn that was interrupted
    assert tool.ran.read_text() == "x\n", "the command ran twice"
    assert tool.left == []


@pytest.mark.parametrize("signals", [1, 2])
def test_asking_the_gateway_to_stop(begin: Begin, ledger: Any, wait_for: Any, signals: int) -> None:
    """Once lets the turn have a while, and ends it then; twice ends everything at once."""
    tool = begin(ALL, flaw="hasty" if signals == 1 else "")
    tool.gateway.process.send_signal(signal.SIGTERM)
    wait_for(lambda: "stopping:" in tool.gateway.told)
    if signals == 2:
        tool.gateway.process.send_signal(signal.SIGTERM)
    assert tool.gateway.process.wait(60) == (130 if signals == 2 else 0)
    wait_for(lambda: not tool.left)
    tool.gateway.start()
    tool.gateway.connect(ledger).ask(ledger.say("c0"))
    assert tool.ran.read_text() == "x\n", "the command ran twice"


def test_the_detector_sees_an_orphan(marked: Marked, tmp_path: Path, wait_for: Any) -> None:
    """Negative control: who runs a command without a supervisor, and is killed."""
    started = tmp_path / "started"
    program = (
        "import json, subprocess, sys; command = json.loads(sys.argv[1]); "
        "subprocess.run(['/bin/sh', '-c', command])"
    )
    command = json.dumps(f"({DAEMON}); touch {started}; sleep 1000")
    host = subprocess.Popen(
        [sys.executable, "-c", program, command],
        env={**os.environ, MARK: marked._mark.decode().partition("=")[2]},
        stdin=subprocess.DEVNULL,
    )
    wait_for(started.exists)
    host.kill()
    host.wait()
    assert len(marked.pids()) >= 2, "both the shell and the daemon live on"
