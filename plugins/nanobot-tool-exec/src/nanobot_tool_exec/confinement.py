"""Choose the sandbox for programs that a model starts, and say why when there is none."""

from __future__ import annotations

import asyncio
import platform
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager, AsyncExitStack, asynccontextmanager
from typing import Any, cast

from nanobot.context import Extension
from nanobot.errors import ToolError, describe

from nanobot_tool_exec.sandbox import Jail, Launch, Sandbox

_KNOWN = ("bwrap", "landlock")


class Confinement:
    """The sandboxes of an instance; leave it with `aclose`.

    Args:
        sandboxes: Those that are there, as ``context.extensions("sandboxes")`` gives them.
        wanted: Name of one; ``auto`` for the first that works here; empty for none.
        setting: Where the owner says so.
    """

    def __init__(self, sandboxes: Mapping[str, Extension], wanted: str, *, setting: str) -> None:
        self._wanted = wanted
        self._setting = setting
        self._candidates = _in_order(sandboxes, wanted)
        self._sandbox: Sandbox | None = None
        self._choosing = asyncio.Lock()
        self._opened = AsyncExitStack()

    @asynccontextmanager
    async def enter(self, launch: Launch, jail: Jail) -> AsyncIterator[Launch]:
        """Enter with what to start in place of a program; leave when it has ended.

        Raises:
            ToolError: Of kind ``sandbox_missing`` when none works here; never confines less
                instead.
        """
        if not self._wanted:
            yield launch
            return
        sandbox = await self._choose()
        entered = sandbox.confine(launch, jail)
        entering = asyncio.create_task(asyncio.to_thread(entered.__enter__))
        try:
            try:
                confined = await asyncio.shield(entering)
            except OSError as error:
                raise ToolError(
                    f"The sandbox can not be built: {error.strerror or error} "
                    f"({error.filename or jail.cwd}).",
                    kind="sandbox_failed",
                    retryable=True,
                ) from error
            yield confined
        finally:
            await asyncio.shield(asyncio.create_task(_leave(entered, entering)))

    async def aclose(self) -> None:
        """Close the sandbox that was used."""
        await self._opened.aclose()

    async def _choose(self) -> Sandbox:
        async with self._choosing:
            if self._sandbox is None:
                self._sandbox = await self._first_that_works()
            return self._sandbox

    async def _first_that_works(self) -> Sandbox:
        reasons = []
        for extension in self._candidates:
            async with AsyncExitStack() as stack:
                try:
                    found: Any = await stack.enter_async_context(extension.open())
                    sandbox = cast(Sandbox, found)
                    reason = await sandbox.available()
                except Exception as error:
                    reason = describe(error)
                if not reason:
                    self._opened.push_async_exit(stack.pop_all())
                    return sandbox
                reasons.append(f"{extension.spec.name}: {reason}")
        raise self._missing(reasons)

    def _missing(self, reasons: Sequence[str]) -> ToolError:
        system = platform.system()
        if reasons:
            why = f"no sandbox works on this machine ({'; '.join(reasons)})"
        elif system != "Linux":
            why = f"there is no sandbox for {system}"
        elif self._wanted == "auto":
            why = "no sandbox is installed, and checking a command's text can not confine a shell"
        else:
            why = f"{self._setting} asks for {self._wanted!r}, and no such sandbox is installed"
        install = ""
        if system == "Linux":
            name = self._wanted if self._wanted in _KNOWN else "bwrap"
            program = " and the program bubblewrap" if name == "bwrap" else ""
            install = f"install one (pip install nanobot-sandbox-{name}{program}), or "
        return ToolError(
            f'Programs are not run: {why}. The owner can {install}set {self._setting} to "" to '
            "run them unconfined, with all that this user may do.",
            kind="sandbox_missing",
        )


def _in_order(sandboxes: Mapping[str, Extension], wanted: str) -> Sequence[Extension]:
    if wanted != "auto":
        return [sandboxes[wanted]] if wanted in sandboxes else []
    return sorted(
        sandboxes.values(), key=lambda one: (getattr(one.spec, "order", 100), one.spec.name)
    )


async def _leave(entered: AbstractContextManager[Launch], entering: asyncio.Task[Launch]) -> None:
    await asyncio.wait([entering])
    if not entering.exception():
        await asyncio.to_thread(entered.__exit__, None, None, None)
