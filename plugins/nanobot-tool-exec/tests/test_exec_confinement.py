"""Which sandbox is used, what it is told, and what is refused without one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import Extension
from nanobot.tool import ToolRequest
from nanobot_testing import make_turn, run
from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.jail import jail_for
from nanobot_tool_exec.sandbox import Jail, Launch
from nanobot_tool_exec.specs import SandboxSpec


@dataclass
class Recorder:
    """A sandbox that confines nothing, and notes what it is asked."""

    name: str = "pretended"
    order: int = 50
    reason: str = ""
    failure: OSError | None = None
    gate: threading.Event | None = None
    jails: list[Jail] = field(default_factory=list)
    log: list[str] = field(default_factory=list)

    async def available(self) -> str:
        self.log.append("tried")
        return self.reason

    @contextmanager
    def confine(self, launch: Launch, jail: Jail) -> Iterator[Launch]:
        if self.failure:
            raise self.failure
        if self.gate:
            self.log.append("waiting")
            self.gate.wait(10)
        self.jails.append(jail)
        self.log.append("entered")
        yield replace(launch, env={**launch.env, "WITHIN": self.name})
        self.log.append("left")

    @property
    def extension(self) -> Extension:
        @asynccontextmanager
        async def opened() -> AsyncIterator[Recorder]:
            self.log.append("opened")
            yield self
            self.log.append("closed")

        spec = SandboxSpec(name=self.name, factory="none:none", order=self.order)
        return Extension(spec=spec, open=opened)


AUTO = {"sandbox": "auto"}


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("sandbox", ["auto", "bwrap", "landlock"])
def test_without_a_sandbox_nothing_runs(
    execute: Any, workspace: Path, sandbox: str, restricted: bool
) -> None:
    result = execute("touch ran", restricted=restricted, config={"sandbox": sandbox})
    assert result.kind == "sandbox_missing"
    name = "bwrap" if sandbox == "auto" else sandbox
    for way_out in (f"pip install nanobot-sandbox-{name}", 'tools.exec.sandbox to ""'):
        assert way_out in result.text
    assert not (workspace / "ran").exists()


def test_on_other_systems_the_refusal_says_so(
    execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    result = execute("true", config=AUTO)
    assert result.kind == "sandbox_missing"
    assert "no sandbox for Darwin" in result.text and "pip install" not in result.text


@pytest.mark.parametrize("restricted", [True, False])
def test_the_owner_may_do_without(execute: Any, restricted: bool) -> None:
    sandbox = Recorder()
    result = execute("echo [$WITHIN]", restricted=restricted, sandboxes=[sandbox.extension])
    assert result.text == "[]\nExit code: 0"
    assert sandbox.log == []


def test_the_first_that_works_is_taken(execute: Any) -> None:
    broken = Recorder(name="broken", order=1, reason="the kernel lacks it")
    good, later = Recorder(name="good", order=2), Recorder(name="later", order=3)
    extensions = [one.extension for one in (later, good, broken)]
    assert execute("echo $WITHIN", config=AUTO, sandboxes=extensions).text.startswith("good\n")
    assert broken.log == ["opened", "tried", "closed"]
    assert good.log == ["opened", "tried", "entered", "left", "closed"]
    assert later.log == []


def test_a_chosen_one_is_never_replaced(execute: Any, workspace: Path) -> None:
    chosen, other = Recorder(name="bwrap", reason="no namespaces here"), Recorder(name="other")
    extensions = [chosen.extension, other.extension]
    result = execute("touch ran", config={"sandbox": "bwrap"}, sandboxes=extensions)
    assert result.kind == "sandbox_missing" and "bwrap: no namespaces here" in result.text
    assert other.log == [] and not (workspace / "ran").exists()


def test_a_sandbox_that_crashes_is_no_sandbox(
    execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(self: Recorder) -> str:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(Recorder, "available", crash)
    result = execute("true", config=AUTO, sandboxes=[Recorder().extension])
    assert result.kind == "sandbox_missing" and "oops" in result.text


def test_one_that_can_not_be_built_refuses(execute: Any, workspace: Path) -> None:
    sandbox = Recorder(failure=OSError(28, "No space left on device", "/tmp/x"))
    result = execute("touch ran", config=AUTO, sandboxes=[sandbox.extension])
    assert result.kind == "sandbox_failed" and "No space left" in result.text
    assert not (workspace / "ran").exists()


def test_it_is_tried_again_after_a_refusal_and_not_after_success(
    open_exec: Any, workspace: Path
) -> None:
    sandbox = Recorder(reason="not installed yet")

    async def go() -> None:
        async with open_exec(AUTO, [sandbox.extension]) as tool:
            turn = make_turn(workspace)
            request = ToolRequest(name="exec", arguments={"command": "true"})
            with pytest.raises(Exception, match="not installed yet"):
                await tool.call(request, turn)
            sandbox.reason = ""
            for _ in range(3):
                assert not (await tool.call(request, turn)).is_error
        assert sandbox.log.count("tried") == 2

    run(go())


def test_what_is_entered_is_left_when_the_call_is_cancelled(
    open_exec: Any, workspace: Path
) -> None:
    gate = threading.Event()
    sandbox = Recorder(gate=gate)

    async def go() -> None:
        async with open_exec(AUTO, [sandbox.extension]) as tool:
            request = ToolRequest(name="exec", arguments={"command": "touch ran"})
            call = asyncio.create_task(tool.call(request, make_turn(workspace)))
            while "waiting" not in sandbox.log:
                await asyncio.sleep(0)
            call.cancel()
            gate.set()
            with pytest.raises(asyncio.CancelledError):
                await call
        assert sandbox.log[-3:] == ["entered", "left", "closed"]
        assert not (workspace / "ran").exists()

    run(go())


def test_a_session_stays_in_its_sandbox(open_exec: Any, workspace: Path) -> None:
    sandbox = Recorder()

    async def go() -> None:
        async with open_exec(AUTO, [sandbox.extension]) as tool:
            request = ToolRequest(name="exec", arguments={"command": "cat", "yield_time_ms": 0})
            await tool.call(request, make_turn(workspace))
            assert sandbox.log[-1] == "entered"
        assert sandbox.log[-2:] == ["left", "closed"]

    run(go())


def test_a_restricted_command_sees_the_workspace_alone(workspace: Path, tmp_path: Path) -> None:
    config = ExecConfig.model_validate(
        {"sandboxRwBinds": ["/rw"], "sandboxRoBinds": ["/ro"], "pathAppend": "/bin/own:relative"}
    )
    turn = make_turn(workspace)
    denied = replace(turn.workspace, denied=(tmp_path / "data", workspace / "sessions"))
    assert jail_for(denied, workspace / "sub", config, tmp_path / "own") == Jail(
        cwd=workspace / "sub",
        writable=(workspace, Path("/rw")),
        readable=(Path("/ro"), Path("/bin/own")),
        everything=False,
        hidden=(tmp_path / "data", workspace / "sessions", tmp_path / "own"),
        network=False,
    )


def test_an_unrestricted_command_sees_all_but_the_instance(workspace: Path) -> None:
    turn = make_turn(workspace, restricted=False)
    jail = jail_for(turn.workspace, workspace, ExecConfig(), Path("/own"))
    assert jail.everything and jail.network and jail.hidden == (Path("/own"),)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("network", [True, False])
def test_the_owner_decides_about_the_network(
    workspace: Path, restricted: bool, network: bool
) -> None:
    turn = make_turn(workspace, restricted=restricted)
    config = ExecConfig(network=network)
    assert jail_for(turn.workspace, workspace, config, Path("/own")).network is network


def test_home_is_where_a_restricted_command_can_write(
    execute: Any, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv("TMPDIR", "/somewhere")
    command = "echo $HOME [$TMPDIR]"
    inside = execute(command, restricted=True, config=AUTO, sandboxes=[Recorder().extension])
    assert inside.text.startswith(f"{workspace} []\n")
    outside = execute(command, config=AUTO, sandboxes=[Recorder().extension])
    assert outside.text.startswith("/home/somebody [/somewhere]\n")
