"""Confine programs with bubblewrap (bwrap(1))."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from nanobot.context import PluginContext
from nanobot_tool_exec import seccomp
from nanobot_tool_exec.sandbox import Jail, Launch
from nanobot_tool_exec.trial import try_out

from nanobot_sandbox_bwrap.config import BwrapConfig
from nanobot_sandbox_bwrap.mounts import file_system

_FAMILIES = (seccomp.AF_UNIX, seccomp.AF_INET, seccomp.AF_INET6, seccomp.AF_NETLINK)
_NOBODY = "65534"
_LIMITED = 'ulimit -c 0; ulimit -u "$0" 2>/dev/null || ulimit -p "$0"; exec "$@"'
"""Sets limits inside, where they count the processes of this sandbox alone."""


class Bwrap:
    """Starts programs in namespaces of their own."""

    def __init__(self, config: BwrapConfig) -> None:
        self._config = config

    async def available(self) -> str:
        """Return why bubblewrap does not work here; tries it out."""
        if not shutil.which(self._config.program):
            return (
                f"the program {self._config.program} is not installed; it is in the package "
                "bubblewrap"
            )
        return seccomp.unsupported() or await asyncio.to_thread(try_out, self)

    @contextmanager
    def confine(self, launch: Launch, jail: Jail) -> Iterator[Launch]:
        """Yield the call of bubblewrap that starts the program."""
        program = shutil.which(self._config.program) or self._config.program
        with os.fdopen(os.memfd_create("seccomp"), "wb") as rules:
            rules.write(seccomp.program(_FAMILIES))
            rules.seek(0)  # bubblewrap reads from where it stands
            yield Launch(
                argv=(
                    *(program, "--unshare-all", "--unshare-user", "--cap-drop", "ALL"),
                    *("--new-session", "--die-with-parent", "--seccomp", str(rules.fileno())),
                    *(("--share-net",) if jail.network else ()),
                    *(("--uid", _NOBODY, "--gid", _NOBODY) if os.geteuid() == 0 else ()),
                    *file_system(jail, temporary=self._config.max_temporary_mb * 2**20),
                    *("--chdir", os.path.realpath(jail.cwd), "--"),
                    *("/bin/sh", "-c", _LIMITED, str(self._config.max_processes)),
                    *launch.argv,
                ),
                env=launch.env,
                fds=(*launch.fds, rules.fileno()),
            )


@asynccontextmanager
async def open_sandbox(config: BwrapConfig, context: PluginContext) -> AsyncIterator[Bwrap]:
    """Open the sandbox."""
    yield Bwrap(config)
