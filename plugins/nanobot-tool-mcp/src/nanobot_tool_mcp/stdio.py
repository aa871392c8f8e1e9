"""Talk to a server over its standard input and output.

The SDK has such a transport too. This one bounds what it reads, survives output that is no
message, and holds the server on a lifeline, so that it ends with nanobot even by SIGKILL.
"""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process, SubprocessStreamProtocol
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp import types
from mcp.shared.message import SessionMessage
from nanobot.log import Logger

from nanobot_tool_mcp import launcher

MAX_LINE = 16 * 1024 * 1024
"""Longest message, in bytes."""

MAX_GARBAGE = 1_000
"""Lines that are no message before a program is taken for something else than a server."""

_LAUNCHER = str(Path(launcher.__file__))
_EXIT_S = 2.0
_END_S = launcher.GRACE_S + launcher.KILL_S + 2
_TAIL = 2_000
_INHERITED = ("HOME", "LANG", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")

Incoming = MemoryObjectSendStream[SessionMessage | Exception]
Outgoing = MemoryObjectReceiveStream[SessionMessage]
Streams = tuple[
    MemoryObjectReceiveStream[SessionMessage | Exception], MemoryObjectSendStream[SessionMessage]
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """What to start.

    Args:
        argv: Program and arguments.
        env: The whole environment.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    cwd: Path


class Remarks:
    """What came to light on the way: why a connection ended, and what the server said last.

    Attributes:
        fault: Why it ended, as far as is known.
        session_over: True when the server has said that it does not know the session any more.
    """

    def __init__(self) -> None:
        self.fault = ""
        self.session_over = False
        self._tail = b""

    def add(self, data: bytes) -> None:
        """Keep some output."""
        self._tail = (self._tail + data)[-_TAIL:]

    def __str__(self) -> str:
        if self.fault:
            return self.fault
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1].strip()[:300] if lines else ""


def inherited(parent: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of the parent that every server may see; no key is among them."""
    return {k: v for k, v in parent.items() if k in _INHERITED or k.startswith("LC_")}


@asynccontextmanager
async def stdio(program: Program, remarks: Remarks, log: Logger) -> AsyncIterator[Streams]:
    """Start a program when entered, and talk to it; end it with all that it started when left.

    Raises:
        OSError: It could not be started.
    """
    reading, lifeline = os.pipe()
    try:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: SubprocessStreamProtocol(limit=MAX_LINE, loop=loop),
            *(sys.executable, "-I", "-S", _LAUNCHER, str(reading), *program.argv),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=program.env,
            cwd=program.cwd,
            pass_fds=(reading,),
            start_new_session=True,
        )
        process = Process(transport, protocol, loop)
    except BaseException:
        os.close(lifeline)
        raise
    finally:
        os.close(reading)
    incoming, read = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    write, outgoing = anyio.create_memory_object_stream[SessionMessage](0)
    try:
        async with anyio.create_task_group() as group:
            group.start_soon(_receive, process, incoming, remarks, log)
            group.start_soon(_send, process, outgoing)
            group.start_soon(_listen, process, remarks)
            try:
                yield read, write
            finally:
                with anyio.CancelScope(shield=True):
                    await _leave(process)
                group.cancel_scope.cancel()
    finally:
        os.close(lifeline)  # whatever came between, this ends the server
        with anyio.CancelScope(shield=True):
            await _gone(process, _END_S)
        transport.close()  # whoever still holds its pipes does not hold ours
        for stream in (incoming, read, write, outgoing):
            stream.close()


async def _receive(process: Process, incoming: Incoming, remarks: Remarks, log: Logger) -> None:
    """Hand on the messages of the server until it ends, or proves to be none."""
    assert process.stdout
    garbage = 0
    with incoming, suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                remarks.fault = f"it sent a message longer than {MAX_LINE // 1024 // 1024} MiB"
                return
            if not line:
                return
            if not line.strip():
                continue
            try:
                message = types.jsonrpc_message_adapter.validate_json(line, by_name=False)
            except ValueError:
                garbage += 1
                if garbage == 1:
                    log.warning("mcp_stdout_polluted", line=line[:200].decode(errors="replace"))
                if garbage == MAX_GARBAGE:
                    remarks.fault = "it prints something else than MCP messages"
                    return
                continue
            await incoming.send(SessionMessage(message))


async def _send(process: Process, outgoing: Outgoing) -> None:
    assert process.stdin
    with suppress(OSError):  # the end of its output tells that it is gone
        async for message in outgoing:
            text = message.message.model_dump_json(by_alias=True, exclude_unset=True)
            process.stdin.write(text.encode() + b"\n")
            await process.stdin.drain()


async def _listen(process: Process, remarks: Remarks) -> None:
    assert process.stderr
    while data := await process.stderr.read(4096):
        remarks.add(data)


async def _leave(process: Process) -> None:
    """Let the server end by itself: the protocol says that closing its input asks it to."""
    assert process.stdin
    process.stdin.close()
    await _gone(process, _EXIT_S)


async def _gone(process: Process, seconds: float) -> None:
    # Not process.wait(): that waits for the pipes too, which a process out of reach may hold open.
    with anyio.move_on_after(seconds):
        while process.returncode is None:  # noqa: ASYNC110
            await anyio.sleep(0.02)
