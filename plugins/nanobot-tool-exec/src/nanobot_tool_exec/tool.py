"""The tools ``exec``, ``write_stdin`` and ``list_exec_sessions``."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from nanobot.context import PluginContext
from nanobot.errors import OutsideWorkspace, ToolError
from nanobot.messages import Text, ToolResult, Trust, Turn, Workspace
from nanobot.tool import ToolRequest
from nanobot_security import Disk

from nanobot_tool_exec.arguments import Arguments, flag, text, whole, word
from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.confinement import Confinement
from nanobot_tool_exec.environment import homed, scrubbed
from nanobot_tool_exec.guard import Guard
from nanobot_tool_exec.hints import written_outside
from nanobot_tool_exec.jail import jail_for
from nanobot_tool_exec.output import Capture, render
from nanobot_tool_exec.process import Job, Outcome, Runner
from nanobot_tool_exec.sandbox import Launch
from nanobot_tool_exec.sessions import IDLE_S, Owner, Session, Sessions

_LONGEST_TIMEOUT_S = 600
_LONGEST_YIELD_MS, _USUAL_YIELD_MS = 30_000, 1_000
_LONGEST_WAIT_MS, _USUAL_WAIT_MS = 120_000, 10_000
_LEAST_CHARS, _USUAL_CHARS, _MOST_CHARS = 1_000, 10_000, 50_000
_SHOWN_COMMAND = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class _Order:
    """A command that may run, once it is confined."""

    command: str
    cwd: Path
    workspace: Workspace
    timeout: float | None


class ExecTool:
    """Runs commands, one process tree each."""

    def __init__(
        self, config: ExecConfig, confinement: Confinement, runner: Runner, *, own: Path
    ) -> None:
        self._config = config
        self._confinement = confinement
        self._runner = runner
        self._own = own
        self._sessions = Sessions(runner, own)
        self._guard = Guard(allow=config.allow_patterns, deny=config.deny_patterns)
        self._shell = shutil.which("bash", path="/bin:/usr/bin:/usr/local/bin") or "/bin/sh"

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run a command, or look after one that goes on."""
        match request.name:
            case "exec":
                return await self._exec(request.arguments, turn)
            case "write_stdin":
                return await self._write_stdin(request.arguments, turn)
            case "list_exec_sessions":
                return self._list(Owner.of(turn.scope))
        raise ToolError(f"There is no tool {request.name!r} here.", kind="not_found")

    async def aclose(self) -> None:
        """End what still runs, and wait until it is gone."""
        await self._sessions.aclose()
        await self._runner.aclose()

    # --- exec -----------------------------------------------------------------------------------

    async def _exec(self, arguments: Arguments, turn: Turn) -> ToolResult:
        command = word(arguments, "command", "cmd")
        if not command.strip():
            raise ToolError("Give the shell command in `command`.", kind="bad_arguments")
        timeout = whole(arguments, "timeout", 1, _LONGEST_TIMEOUT_S)
        patience = whole(arguments, "yield_time_ms", 0, _LONGEST_YIELD_MS)
        limit = _output_limit(arguments)
        order = _Order(
            command=command,
            cwd=await asyncio.to_thread(_folder, arguments, turn),
            workspace=turn.workspace,
            timeout=timeout or (self._config.timeout or None if patience is None else None),
        )
        await asyncio.to_thread(self._check, order)
        try:
            if patience is None:
                return await self._run(order, limit)
            session = await self._sessions.start(
                Owner.of(turn.scope), command, partial(self._confined, order)
            )
        except OSError as error:
            raise _not_started(error, order.cwd) from error
        try:
            await asyncio.wait([session.task], timeout=patience / 1000)
        except asyncio.CancelledError:  # nobody will learn its id
            await self._sessions.end(session)
            raise
        return await self._report(session, limit)

    def _check(self, order: _Order) -> None:
        if objection := self._guard.objection(order.command):
            raise ToolError(
                f"The command was not run: {objection}. Ask the user to run it, if it is meant.",
                kind="refused_command",
                target=order.command,
            )
        if order.workspace.restricted:
            confined = bool(self._config.sandbox)
            writable = [order.workspace.root, *map(Path, self._config.sandbox_rw_binds)]
            path = written_outside(
                order.command,
                cwd=order.cwd,
                home=order.workspace.root if confined else Path.home(),
                writable=[*writable, Path("/tmp")] if confined else writable,  # noqa: S108
            )
            if path:
                raise OutsideWorkspace(
                    f"The command was not run: it writes to '{path}', which is outside the "
                    "workspace. This is a hard policy boundary, not a fault to work around: do "
                    "not try other paths, links, tools or commands to reach it. If the task needs "
                    "it, ask the user.",
                    target=path,
                )

    @asynccontextmanager
    async def _confined(self, order: _Order, output: Capture | None = None) -> AsyncIterator[Job]:
        env = scrubbed(os.environ, self._config)
        if self._config.sandbox and order.workspace.restricted:
            env = homed(env, order.workspace.root)
        launch = Launch(argv=(self._shell, "-c", order.command.encode()), env=env)
        jail = jail_for(order.workspace, order.cwd, self._config, self._own)
        async with self._confinement.enter(launch, jail) as confined:
            yield Job(
                launch=confined,
                cwd=order.cwd,
                timeout=order.timeout,
                output=output,
            )

    async def _run(self, order: _Order, limit: int) -> ToolResult:
        async with self._confined(order) as job:
            outcome = await self._runner.run(job)
        return _result(outcome.stdout, outcome.stderr, _ending(outcome), limit)

    # --- commands that go on ----------------------------------------------------------------------

    async def _write_stdin(self, arguments: Arguments, turn: Turn) -> ToolResult:
        session = self._sessions.find(Owner.of(turn.scope), text(arguments, "session_id"))
        chars = text(arguments, "chars")
        awaited = text(arguments, "wait_for").encode()
        patience = whole(arguments, "yield_time_ms", 0, _LONGEST_YIELD_MS)
        longest = whole(arguments, "wait_timeout_ms", 0, _LONGEST_WAIT_MS)
        limit = _output_limit(arguments)
        closes, ends = flag(arguments, "close_stdin"), flag(arguments, "terminate")
        process = session.process.result()
        if chars and session.running:
            session.write(chars)
        if closes and session.running:
            session.close_stdin()
        if ends:
            await session.stop()
        elif awaited:
            seconds = (_USUAL_WAIT_MS if longest is None else longest) / 1000
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await process.wait_until(lambda: process.ended or awaited in session.output)
        else:
            seconds = (_USUAL_YIELD_MS if patience is None else patience) / 1000
            await asyncio.wait([session.task], timeout=seconds)
        return await self._report(session, limit)

    async def _report(self, session: Session, limit: int) -> ToolResult:
        if session.process.result().ended:
            await asyncio.wait([session.task])
        running = session.running
        if running:
            ending = _Ending(f"Process running. session_id: {session.id}")
        else:
            ending = _ending_of(session.task)
        ending = _Ending(f"{ending.text}\nElapsed: {session.elapsed:.1f} s", ending.kind)
        result = _result(session.output, Capture(), ending, limit)
        if running:
            session.output.clear()
        else:
            self._sessions.forget(session)
        return result

    def _list(self, owner: Owner) -> ToolResult:
        lines = [
            f"{one.id}  {'running' if one.running else 'ended'}  {one.elapsed:.0f} s  "
            f"{one.command[:_SHOWN_COMMAND]!r}"
            for one in self._sessions.of(owner)
        ]
        return ToolResult.ok("\n".join(lines) or "No sessions.")


@dataclass(frozen=True, slots=True)
class _Ending:
    """The last words of a result, and its error kind."""

    text: str
    kind: str = ""


def _ending(outcome: Outcome) -> _Ending:
    if outcome.limit_s is None:
        return _Ending(f"Exit code: {outcome.code}")
    return _Ending(
        f"The command timed out after {outcome.limit_s:.0f} s. It was stopped, with all that it "
        "had started; the output is what came until then.",
        kind="timeout",
    )


def _ending_of(task: asyncio.Task[Outcome]) -> _Ending:
    if task.cancelled():
        return _Ending("The command was ended, with all that it had started.")
    if isinstance(task.exception(), TimeoutError):
        return _Ending(f"The command was ended: nobody asked for it for {IDLE_S / 60:.0f} min.")
    return _ending(task.result())


def _output_limit(arguments: Arguments) -> int:
    asked = whole(arguments, "max_output_chars", _LEAST_CHARS, _MOST_CHARS)
    return _USUAL_CHARS if asked is None else asked


def _folder(arguments: Arguments, turn: Turn) -> Path:
    wanted = word(arguments, "working_dir", "workdir")
    if not wanted:
        return turn.workspace.root
    found = Disk.of(turn.workspace).stat(wanted)
    if found.kind != "dir":
        raise ToolError(f"{wanted} is not a folder.", kind="not_a_folder", target=wanted)
    return turn.workspace.root / Path(wanted).expanduser()


def _not_started(error: OSError, folder: Path) -> ToolError:
    if error.errno == errno.E2BIG:
        return ToolError(
            "The command is too long for the system; write it to a script file and run that.",
            kind="bad_arguments",
        )
    if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.EACCES}:
        return ToolError(
            f"The command can not run in {folder}: {error.strerror}.",
            kind="not_a_folder",
            target=str(folder),
        )
    return ToolError(f"The command can not be started: {error.strerror}.", retryable=True)


def _result(stdout: Capture, stderr: Capture, ending: _Ending, limit: int) -> ToolResult:
    shown = render(stdout, stderr, ending.text, limit=limit)
    # A command may have read anything, also from the network.
    return ToolResult(parts=(Text(text=shown, trust=Trust.UNTRUSTED),), kind=ending.kind)


@asynccontextmanager
async def open_tool(config: ExecConfig, context: PluginContext) -> AsyncIterator[ExecTool]:
    """Open the shell tool; closing it ends all commands and waits until they are gone."""
    confinement = Confinement(
        context.extensions("sandboxes"), config.sandbox, setting="tools.exec.sandbox"
    )
    tool = ExecTool(config, confinement, Runner(), own=context.data)
    try:
        yield tool
    finally:
        await tool.aclose()
        await confinement.aclose()
