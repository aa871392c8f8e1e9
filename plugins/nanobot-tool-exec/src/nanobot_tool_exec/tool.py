"""The tool ``exec``."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from nanobot.context import PluginContext
from nanobot.errors import ToolError
from nanobot.messages import Text, ToolResult, Trust, Turn
from nanobot.tool import ToolRequest
from nanobot_security import Disk

from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.environment import scrubbed
from nanobot_tool_exec.guard import Guard
from nanobot_tool_exec.output import render
from nanobot_tool_exec.process import Job, Outcome, Runner

_LONGEST_TIMEOUT_S = 600
_LEAST_CHARS, _USUAL_CHARS, _MOST_CHARS = 1_000, 10_000, 50_000


class ExecTool:
    """Runs commands, one process tree a call."""

    def __init__(self, config: ExecConfig, runner: Runner) -> None:
        self._config = config
        self._runner = runner
        self._guard = Guard(allow=config.allow_patterns, deny=config.deny_patterns)
        self._shell = shutil.which("bash", path="/bin:/usr/bin:/usr/local/bin") or "/bin/sh"

    async def call(self, request: ToolRequest, turn: Turn) -> ToolResult:
        """Run a command and return what it printed."""
        if request.name != "exec":
            raise ToolError(f"There is no tool {request.name!r} here.", kind="not_found")
        self._require_confinement(turn)
        command = _text(request.arguments, "command", "cmd")
        if not command.strip():
            raise ToolError("Give the shell command in `command`.", kind="bad_arguments")
        if objection := await asyncio.to_thread(self._guard.objection, command):
            raise ToolError(
                f"The command was not run: {objection}. Ask the user to run it, if it is meant.",
                kind="refused_command",
                target=command,
            )
        timeout = self._timeout(request.arguments)
        limit = _output_limit(request.arguments)
        job = Job(
            argv=(self._shell, "-c", command.encode()),
            cwd=await asyncio.to_thread(_folder, request.arguments, turn),
            env=scrubbed(os.environ, self._config),
            timeout=timeout,
        )
        try:
            outcome = await self._runner.run(job)
        except OSError as error:
            raise _not_started(error, job.cwd) from error
        return _result(outcome, timeout, limit=limit)

    def _require_confinement(self, turn: Turn) -> None:
        sandbox = self._config.sandbox
        if sandbox in {"bwrap", "landlock"}:
            raise ToolError(
                f"Commands are off: tools.exec.sandbox asks for {sandbox!r}, and no such sandbox "
                f"is installed. The owner can install it (pip install nanobot-sandbox-{sandbox}) "
                'or choose another one; "" runs commands unconfined.',
                kind="sandbox_missing",
            )
        if sandbox == "auto" and turn.workspace.restricted:
            raise ToolError(
                "Commands are off: the workspace is restricted, no sandbox is installed, and "
                "checking a command's text can not confine a shell. The owner can install a "
                "sandbox (pip install nanobot-sandbox-bwrap), turn off tools.restrictToWorkspace, "
                'or set tools.exec.sandbox to "" to accept an unconfined shell.',
                kind="sandbox_missing",
            )

    def _timeout(self, arguments: Mapping[str, object]) -> int | None:
        asked = _whole(arguments, "timeout")
        if asked is None:
            return self._config.timeout or None
        return min(max(asked, 1), _LONGEST_TIMEOUT_S)


def _text(arguments: Mapping[str, object], name: str, alias: str) -> str:
    given = [arguments[key] for key in (name, alias) if arguments.get(key) not in (None, "")]
    value = given[0] if given else ""
    if not isinstance(value, str):
        raise ToolError(f"`{name}` must be text.", kind="bad_arguments")
    if given[1:] not in ([], [value]):
        raise ToolError(
            f"`{name}` and `{alias}` mean the same; give one of them.", kind="bad_arguments"
        )
    if "\x00" in value:
        raise ToolError(f"`{name}` holds a NUL character.", kind="bad_arguments")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ToolError(f"`{name}` holds half a character.", kind="bad_arguments") from None
    return value


def _whole(arguments: Mapping[str, object], name: str) -> int | None:
    value = arguments.get(name)
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise ToolError(f"`{name}` must be a whole number.", kind="bad_arguments")
    return value


def _output_limit(arguments: Mapping[str, object]) -> int:
    asked = _whole(arguments, "max_output_chars")
    return _USUAL_CHARS if asked is None else min(max(asked, _LEAST_CHARS), _MOST_CHARS)


def _folder(arguments: Mapping[str, object], turn: Turn) -> Path:
    wanted = _text(arguments, "working_dir", "workdir")
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


def _result(outcome: Outcome, timeout: int | None, *, limit: int) -> ToolResult:
    ending = f"Exit code: {outcome.code}"
    if outcome.timed_out:
        ending = (
            f"The command timed out after {timeout} s. It was stopped, with all that it had "
            "started; the output is what came until then."
        )
    text = render(outcome.stdout, outcome.stderr, ending, limit=limit)
    return ToolResult(
        # An unconfined command may have read anything, also from the network.
        parts=(Text(text=text, trust=Trust.UNTRUSTED),),
        kind="timeout" if outcome.timed_out else "",
    )


@asynccontextmanager
async def open_tool(config: ExecConfig, context: PluginContext) -> AsyncIterator[ExecTool]:
    """Open the shell tool; closing it waits for the processes of calls that were cancelled."""
    runner = Runner()
    try:
        yield ExecTool(config, runner)
    finally:
        await runner.aclose()
