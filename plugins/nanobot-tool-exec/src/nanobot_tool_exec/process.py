"""Run commands under the supervisor, with bounded output and a time limit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nanobot_tool_exec import supervisor
from nanobot_tool_exec.output import Capture
from nanobot_tool_exec.sandbox import Launch

_SUPERVISOR = str(Path(supervisor.__file__))
_PATIENCE_S = supervisor.GRACE_S + supervisor.KILL_S + 5
"""After this long the supervisor itself is taken for stuck."""

_DRAIN_S = 1.0
"""How long to read on from pipes that a process out of reach holds open."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """What to run.

    Args:
        timeout: Seconds, None for no limit.
        output: Takes both streams as one; then the command can be written to as well. Without it
            each stream is kept by itself, in memory, and standard input is empty.
    """

    launch: Launch
    cwd: Path
    timeout: float | None
    output: Capture | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """How it went.

    Args:
        code: Exit status; negative when the supervisor itself was killed by that signal.
        limit_s: The time limit that ended it, None when it ended by itself.
    """

    stdout: Capture
    stderr: Capture
    code: int
    limit_s: float | None = None


class Process(asyncio.SubprocessProtocol):
    """A command that was started, and what it has printed."""

    def __init__(self, output: Capture | None) -> None:
        self.stdout = output or Capture()
        self.stderr = output or Capture()
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()
        self.stdin: asyncio.WriteTransport | None = None
        self._listeners: set[asyncio.Event] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self.transport = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        (self.stdout if fd == 1 else self.stderr).feed(data)
        self._tell()

    def process_exited(self) -> None:
        self.exited.set()
        self._tell()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport.close()
        self.closed.set()
        self._tell()

    @property
    def ended(self) -> bool:
        """Tell whether the command has ended; the last of its output may still come."""
        return self.exited.is_set()

    @property
    def code(self) -> int:
        return self.transport.get_returncode() or 0

    async def wait_until(self, reached: Callable[[], bool]) -> None:
        """Wait until something is true, looking again whenever the command gave a sign of life."""
        news = asyncio.Event()
        self._listeners.add(news)
        try:
            while not reached():
                await news.wait()
                news.clear()
        finally:
            self._listeners.discard(news)

    def _tell(self) -> None:
        for news in self._listeners:
            news.set()


class Runner:
    """Runs commands; leave it with `aclose`, which waits until the last process is gone."""

    def __init__(self) -> None:
        self._endings: set[asyncio.Task[None]] = set()

    async def run(self, job: Job, started: Callable[[Process], None] | None = None) -> Outcome:
        """Run a command to its end, its time limit, or the caller's cancellation.

        Its processes are gone when this returns or raises, unless the caller is cancelled a second
        time: then the cleaning goes on in the background.

        Args:
            started: Told once the command runs.

        Raises:
            OSError: It could not be started.
        """
        opening = asyncio.create_task(_open(job))
        limit_s = None
        try:
            process = await asyncio.shield(opening)
            if started:
                started(process)
            try:
                async with asyncio.timeout(job.timeout):
                    await process.exited.wait()
            except TimeoutError:
                limit_s = job.timeout
        finally:
            ending = asyncio.create_task(_end(opening))
            self._endings.add(ending)
            ending.add_done_callback(self._endings.discard)
            await asyncio.shield(ending)
        return Outcome(
            stdout=process.stdout, stderr=process.stderr, code=process.code, limit_s=limit_s
        )

    async def aclose(self) -> None:
        """Wait until the processes of cancelled calls are gone."""
        await asyncio.gather(*self._endings, return_exceptions=True)


async def _open(job: Job) -> Process:
    loop = asyncio.get_running_loop()
    stdin, writer = os.pipe() if job.output else (None, None)
    try:
        _, process = await loop.subprocess_exec(
            lambda: Process(job.output),
            *(sys.executable, "-I", "-S", _SUPERVISOR, str(stdin or "-"), *job.launch.argv),
            cwd=job.cwd,
            env=job.launch.env,
            pass_fds=(*job.launch.fds, *([stdin] if stdin else [])),
            start_new_session=True,
        )
        if writer is not None:
            process.stdin, _ = await loop.connect_write_pipe(
                asyncio.BaseProtocol, os.fdopen(writer, "wb", buffering=0)
            )
            writer = None
    finally:
        for descriptor in (stdin, writer):
            if descriptor is not None:
                os.close(descriptor)
    return process


async def _end(opening: asyncio.Task[Process]) -> None:
    try:
        process = await opening
    except OSError:
        return  # nothing was started; the caller reports it
    pid = process.transport.get_pid()
    lifeline = process.transport.get_pipe_transport(0)
    if lifeline:
        lifeline.close()
    if process.stdin and not process.stdin.is_closing():
        process.stdin.abort()
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
