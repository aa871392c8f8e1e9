"""Run commands under the supervisor, with bounded output and a time limit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from nanobot_tool_exec import supervisor
from nanobot_tool_exec.output import Capture

_SUPERVISOR = str(Path(supervisor.__file__))
_PATIENCE_S = supervisor.GRACE_S + supervisor.KILL_S + 5
"""After this long the supervisor itself is taken for stuck."""

_DRAIN_S = 1.0
"""How long to read on from pipes that a process out of reach holds open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to run.

    Args:
        argv: Program by its path, and arguments; bytes for what may not fit the locale.
        timeout: Seconds, None for no limit.
    """

    argv: Sequence[str | bytes]
    cwd: Path
    env: Mapping[str, str]
    timeout: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How it went.

    Args:
        code: Exit status; negative when the supervisor itself was killed by that signal.
    """

    stdout: Capture
    stderr: Capture
    code: int
    timed_out: bool


class _Process(asyncio.SubprocessProtocol):
    def __init__(self) -> None:
        self.captures = {1: Capture(), 2: Capture()}
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self.transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        self.captures[fd].feed(data)

    def process_exited(self) -> None:
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport.close()
        self.closed.set()

    @property
    def code(self) -> int:
        return self.transport.get_returncode() or 0


class Runner:
    """Runs commands; leave it with `aclose`, which waits until the last process is gone."""

    def __init__(self) -> None:
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self, job: Job) -> Outcome:
        """Run a command to its end, its time limit, or the caller's cancellation.

        Its processes are gone when this returns or raises, unless the caller is cancelled a second
        time: then the cleaning goes on in the background.

        Raises:
            OSError: It could not be started.
        """
        opening = asyncio.create_task(_open(job))
        timed_out = False
        try:
            process = await asyncio.shield(opening)
            try:
                async with asyncio.timeout(job.timeout):
                    await process.exited.wait()
            except TimeoutError:
                timed_out = True
        finally:
            ending = asyncio.create_task(_end(opening))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
            await asyncio.shield(ending)
        stdout, stderr = process.captures[1], process.captures[2]
        return Outcome(stdout=stdout, stderr=stderr, code=process.code, timed_out=timed_out)

    async def aclose(self) -> None:
        """Wait until the processes of cancelled calls are gone."""
        await asyncio.gather(*self._endings, return_exceptions=True)


async def _open(job: Job) -> _Process:
    _, process = await asyncio.get_running_loop().subprocess_exec(
        _Process,
        *(sys.executable, "-I", "-S", _SUPERVISOR, *job.argv),
        cwd=job.cwd,
        env=job.env,
        start_new_session=True,
    )
    return process


async def _end(opening: asyncio.Task[_Process]) -> None:
    try:
        process = await opening
    except OSError:
        return  # nothing was started; the caller reports it
    pid = process.transport.get_pid()
    lifeline = process.transport.get_pipe_transport(0)
    if lifeline:
        lifeline.close()
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await process.exited.wait()
    except TimeoutError:
        process.transport.kill()
        await process.exited.wait()
    except asyncio.CancelledError:  # the event loop is being torn down: there is no time for grace
        supervisor.send(signal.SIGKILL, supervisor.descendants(pid))
        raise
    if process.code < 0:
        await asyncio.to_thread(_sweep, pid)
    try:
        async with asyncio.timeout(_DRAIN_S):
            await process.closed.wait()
    except TimeoutError:
        process.transport.close()


def _sweep(session: int) -> None:
    """Kill what a supervisor that was itself killed has left in its session."""
    own = os.getpid()
    table = supervisor.processes()
    supervisor.send(
        signal.SIGKILL, [pid for pid, (_, of) in table.items() if of == session and pid != own]
    )
