"""Commands that go on after the call which started them, until they end or nobody looks."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nanobot.errors import ToolError
from nanobot.identity import Scope

from nanobot_tool_exec.output import Capture, nameless_file
from nanobot_tool_exec.process import Job, Outcome, Process, Runner

LIMIT = 8
"""Sessions at a time."""

IDLE_S = 1800.0
"""A session that nobody has asked for this long is ended."""

_UNREAD_INPUT = 1_000_000
"""How many bytes may wait for a command that does not read."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Owner:
    """Whom a session belongs to; nobody else learns that it is there."""

    session: str
    channel: str
    account: str
    user: str

    @classmethod
    def of(cls, scope: Scope) -> Owner:
        """Return the owner of what is started on behalf of a scope."""
        who = scope.principal
        return cls(
            session=scope.session_key, channel=who.channel, account=who.account, user=who.user
        )


class Session:
    """A command that is running, or has ended and not been asked for since.

    Args:
        command: What to call it in a list.
        output: What it printed since somebody last asked.
    """

    def __init__(self, name: str, owner: Owner, command: str, output: Capture) -> None:
        loop = asyncio.get_running_loop()
        self.id = name
        self.owner = owner
        self.command = command
        self.output = output
        self.process: asyncio.Future[Process] = loop.create_future()
        self.task: asyncio.Task[Outcome]
        self.patience = asyncio.timeout(None)
        self._started = loop.time()

    @property
    def running(self) -> bool:
        """Tell whether the command has not ended."""
        return not self.task.done()

    @property
    def elapsed(self) -> float:
        """Return the seconds since it was started."""
        return asyncio.get_running_loop().time() - self._started

    def touch(self) -> None:
        """Note that somebody asked for it."""
        if not self.process.result().ended and not self.patience.expired():
            self.patience.reschedule(asyncio.get_running_loop().time() + IDLE_S)

    def write(self, text: str) -> None:
        """Hand text to the command's standard input."""
        stdin = self._stdin()
        if stdin.get_write_buffer_size() + len(text) > _UNREAD_INPUT:
            raise ToolError("The command does not read its input.", kind="input_full")
        stdin.write(text.encode())

    def close_stdin(self) -> None:
        """Let the command read the end of its input."""
        self._stdin().close()

    async def stop(self) -> None:
        """End the command with all that it started."""
        self.task.cancel()
        await asyncio.wait([self.task])

    def _stdin(self) -> asyncio.WriteTransport:
        stdin = self.process.result().stdin
        if stdin is None or stdin.is_closing() or not self.running:
            raise ToolError("The command's standard input is closed.", kind="input_closed")
        return stdin


class Sessions:
    """All of a tool's; leave it with `aclose`, which ends them.

    Args:
        folder: Where their output is kept.
    """

    def __init__(self, runner: Runner, folder: Path) -> None:
        self._runner = runner
        self._folder = folder
        self._all: dict[str, Session] = {}
        self._names = itertools.count(1)

    async def start(
        self,
        owner: Owner,
        command: str,
        enter: Callable[[Capture], AbstractAsyncContextManager[Job]],
    ) -> Session:
        """Start a command, and return once it runs.

        Args:
            command: What to call it in a list.
            enter: Makes the job that prints into a capture, and keeps what it needs until it has
                ended.

        Raises:
            ToolError: There are too many sessions, or the job can not be made.
            OSError: It could not be started.
        """
        self._make_room()
        output = Capture(partial(nameless_file, self._folder))
        session = Session(str(next(self._names)), owner, command, output)
        session.task = asyncio.create_task(self._live(session, enter))
        self._all[session.id] = session
        try:
            both: list[asyncio.Future[Any]] = [session.task, session.process]
            await asyncio.wait(both, return_when="FIRST_COMPLETED")
            if not session.process.done():
                session.task.result()
        except BaseException:
            await self.end(session)
            raise
        return session

    def find(self, owner: Owner, name: str) -> Session:
        """Return an owner's session, which counts as a sign of interest.

        Raises:
            ToolError: The owner has none of this name.
        """
        session = self._all.get(name)
        if session is None or session.owner != owner:
            known = ", ".join(one.id for one in self.of(owner)) or "none"
            raise ToolError(
                f"There is no session {name[:40]!r}; your sessions: {known}.", kind="not_found"
            )
        session.touch()
        return session

    def of(self, owner: Owner) -> list[Session]:
        """Return an owner's sessions, the oldest first."""
        return [one for one in self._all.values() if one.owner == owner]

    def forget(self, session: Session) -> None:
        """Take a session that has ended off the list, with its output."""
        self._all.pop(session.id, None)
        session.output.clear()

    async def end(self, session: Session) -> None:
        """End a command with all that it started, and forget the session."""
        try:
            await session.stop()
        finally:
            self.forget(session)

    async def aclose(self) -> None:
        """End all."""
        await asyncio.gather(*(self.end(one) for one in list(self._all.values())))

    async def _live(
        self, session: Session, enter: Callable[[Capture], AbstractAsyncContextManager[Job]]
    ) -> Outcome:
        async with enter(session.output) as job, session.patience:
            session.patience.reschedule(asyncio.get_running_loop().time() + IDLE_S)
            return await self._runner.run(job, session.process.set_result)

    def _make_room(self) -> None:
        for one in [one for one in self._all.values() if not one.running]:
            if len(self._all) < LIMIT:
                break
            self.forget(one)
        if len(self._all) >= LIMIT:
            raise ToolError(
                f"{LIMIT} commands run already; end one with write_stdin and terminate=true.",
                kind="too_many_sessions",
                retryable=True,
            )
