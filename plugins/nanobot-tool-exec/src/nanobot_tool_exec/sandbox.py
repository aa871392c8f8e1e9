"""The contract of a sandbox: what confines the programs that a model starts.

A sandbox turns what would be started into what is started in its place, and nothing more, so
that any plugin which starts programs can use one::

    sandboxes = context.extensions("sandboxes")
    confinement = Confinement(sandboxes, "auto", setting="tools.example.sandbox")
    async with confinement.enter(Launch(argv=argv, env=env), jail) as launch:
        process = await asyncio.create_subprocess_exec(
            *launch.argv, env=launch.env, pass_fds=launch.fds
        )
        ...  # until it has ended
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SYSTEM = tuple(
    Path(path)
    for path in (
        *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"),
        *("/run/current-system", "/run/opengl-driver"),
        *(
            f"/etc/{name}"
            for name in (
                *("alternatives", "ca-certificates", "crypto-policies", "pki", "ssl"),
                *("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ld.so.preload"),
                *("group", "passwd", "nsswitch.conf", "localtime", "timezone", "locale.conf"),
                *("host.conf", "hosts", "gai.conf", "protocols", "resolv.conf", "services"),
                *("bash.bashrc", "fonts", "inputrc", "magic", "mime.types", "terminfo"),
                *("java", "perl", "python3", "R", "static"),
            )
        ),
    )
)
"""What programs need to run and that holds nobody's data; any may be missing on a machine."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Jail:
    """What a confined program may touch.

    Of two paths the deeper one decides, and `hidden` where they are equal; so a workspace may lie
    in a hidden folder, and have a hidden folder in it. A program always has what `SYSTEM` names,
    the harmless devices, and a place of its own for temporary files. It never sees, signals or
    traces a process from outside, gains no right that it does not have when it starts, and can
    not put characters into a terminal.

    Args:
        cwd: Where it starts; must be visible.
        writable: Trees that it may change.
        readable: Further trees that it may read.
        everything: It sees and changes the file system as the user does. Sockets of the system's
            services, which could act for it outside, are left out.
        hidden: Trees that it can neither read nor change.
        network: It may use the network, as the user does. Without, nothing is reachable, the
            machine itself included.
    """

    cwd: Path
    writable: tuple[Path, ...] = ()
    readable: tuple[Path, ...] = ()
    everything: bool = False
    hidden: tuple[Path, ...] = ()
    network: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """What to start.

    Args:
        argv: Program by its path, and arguments; bytes for what may not fit the locale.
        env: All of its environment.
        fds: Descriptors that it inherits, under the same numbers.
    """

    argv: Sequence[str | bytes]
    env: Mapping[str, str]
    fds: tuple[int, ...] = ()


class Sandbox(Protocol):
    """What a `SandboxSpec` factory opens."""

    async def available(self) -> str:
        """Return why nothing can be confined on this machine, in words; empty when it can."""
        ...

    def confine(self, launch: Launch, jail: Jail) -> AbstractContextManager[Launch]:
        """Enter with what to start in place of a program; leave when it has ended.

        Entered and left in a thread, so it may block.

        Raises:
            OSError: A path of the jail can not be used, or a resource is lacking.
        """
        ...
