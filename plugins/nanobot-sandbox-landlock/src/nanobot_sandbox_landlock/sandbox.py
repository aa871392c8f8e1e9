"""Confine programs with Landlock (landlock(7)) and a filter of system calls."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from nanobot.context import PluginContext
from nanobot_tool_exec import seccomp
from nanobot_tool_exec.sandbox import SYSTEM, Jail, Launch
from nanobot_tool_exec.trial import try_out

from nanobot_sandbox_landlock import enforce
from nanobot_sandbox_landlock.config import LandlockConfig

_ENFORCE = str(Path(enforce.__file__))
_INTERNET = (seccomp.AF_INET, seccomp.AF_INET6, seccomp.AF_NETLINK)

_DEVICES = tuple(
    Path("/dev") / name
    for name in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts")
)
_READ_ONLY = (Path("/proc"), Path("/sys"))
_APART = {Path("/dev"), Path("/run"), *_READ_ONLY}
"""What is not like other folders: devices, sockets of services, processes, the kernel."""


class Landlock:
    """Starts programs that have given up the rights to most paths."""

    def __init__(self) -> None:
        self._covers = False

    async def available(self) -> str:
        """Return why Landlock does not work here; tries it out."""
        if reason := seccomp.unsupported():
            return reason
        found = await asyncio.to_thread(enforce.version)
        if not found:
            return "the kernel has no Landlock, or it is switched off (it belongs into lsm=)"
        if found < enforce.ABI:
            return f"it needs Linux 6.12 or later (Landlock {enforce.ABI}, here is {found})"
        self._covers = True
        if not await asyncio.to_thread(try_out, self):
            return ""
        self._covers = False
        return await asyncio.to_thread(try_out, self)

    @contextmanager
    def confine(self, launch: Launch, jail: Jail) -> Iterator[Launch]:
        """Yield the call of the script that gives up rights and becomes the program."""
        with tempfile.TemporaryDirectory(prefix="nanobot-", ignore_cleanup_errors=True) as own:
            visible = {
                "read": (*SYSTEM, *_READ_ONLY, *jail.readable),
                "write": (Path(own), *_DEVICES, *(_folders() if jail.everything else ())),
                "work": jail.writable,
                "hidden": jail.hidden,
            }
            trees = {rule: [Path(os.path.realpath(p)) for p in visible[rule]] for rule in visible}
            if self._covers:
                trees["cover"] = [
                    path
                    for path in trees["hidden"]
                    if path.parent in trees["work"] and path.is_dir()
                ]
            rules = [word for rule in trees for path in trees[rule] for word in (rule, str(path))]
            rules += ["network", "yes"] if jail.network else []
            rules += ["filter", seccomp.program(_INTERNET if jail.network else ()).hex()]
            env = {**launch.env, "TMPDIR": own}
            if not jail.everything:
                shown = [*trees["read"], *trees["write"], *trees["work"]]
                env["PATH"] = _within(env.get("PATH", os.defpath), shown)
            script = (sys.executable, "-I", "-S", _ENFORCE, *rules, "--")
            yield Launch(argv=(*script, *launch.argv), env=env, fds=launch.fds)


def _folders() -> Iterator[Path]:
    """Yield what is in the root beside devices, services, processes and the kernel."""
    yield from (path for path in Path("/").iterdir() if path not in _APART)


def _within(folders: str, visible: Sequence[Path]) -> str:
    """Return the folders that are visible.

    A shell takes the first program that is there, even if it can not be run.
    """
    return os.pathsep.join(
        folder
        for folder in folders.split(os.pathsep)
        if any(Path(os.path.realpath(folder)).is_relative_to(path) for path in visible)
    )


@asynccontextmanager
async def open_sandbox(config: LandlockConfig, context: PluginContext) -> AsyncIterator[Landlock]:
    """Open the sandbox."""
    yield Landlock()
