"""Attempts to get out of a sandbox, run inside one.

`nanobot_testing.contracts.sandbox` starts the text of this file with the system's Python and the
standard library alone::

    python3 -I -c TEXT FACTS

FACTS is a JSON object that names what is outside. The answer on standard output is a JSON object
that tells for each attempt whether it succeeded.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import stat
import struct
import sys
import termios
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

_C = ctypes.CDLL(None, use_errno=True)
_C.syscall.restype = ctypes.c_long
_C.ptrace.restype = ctypes.c_long
_GENERIC = os.uname().machine != "x86_64"

_CLONE_NEWUSER = 0x10000000
_PTRACE_SEIZE = 0x4206
_PTRACE_DETACH = 17
_SIGCHLD = 17
_PROCESS_KEYRING = -2


class Outside:
    """What lies outside, and what a program in a sandbox may try to do with it.

    Every public method is an attempt, and returns whether it succeeded.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self._canary: bytes = facts["canary"].encode()
        self._data = Path(facts["data"])
        self._key = self._data / "config.json"
        self._transcript = Path(facts["sessions"], "a.jsonl")
        self._outside = Path(facts["outside"])
        self._secret = self._outside / "secret.txt"
        self._shared = Path(facts["shared"])
        self._victim: int = facts["victim"]
        self._victim_name: bytes = facts["victim_name"].encode()
        self._port: int = facts["port"]
        self._abstract: str = facts["abstract"]

    def _holds(self, path: Path) -> bool:
        with path.open("rb") as file:
            return self._canary in file.read(100_000)

    def _any_holds(self, paths: Iterable[Path]) -> bool:
        return any(attempt(self._holds, path) for path in paths)

    # --- the instance's own data ------------------------------------------------------------------

    def reads_the_data(self) -> bool:
        return self._holds(self._key)

    def reads_a_transcript(self) -> bool:
        return self._holds(self._transcript)

    def adds_to_the_data(self) -> bool:
        return _writes(self._data / "probe")

    def adds_to_a_transcript(self) -> bool:
        return _writes(self._transcript)

    def renames_the_data(self) -> bool:
        return _renames(self._data)

    def renames_the_folder_of_the_data(self) -> bool:
        return _renames(self._data.parent)

    def links_to_the_data(self) -> bool:
        link = Path("soft-data")
        link.symlink_to(self._key)
        return self._holds(link)

    def links_hard_to_the_data(self) -> bool:
        link = Path("hard-data")
        link.hardlink_to(self._key)
        return self._holds(link)

    def reads_the_data_through_a_process(self) -> bool:
        return self._any_holds(Path(f"{root}{self._key}") for root in _of_processes("root"))

    # --- other files ------------------------------------------------------------------------------

    def reads_outside(self) -> bool:
        return self._holds(self._secret)

    def reads_outside_through_a_link(self) -> bool:
        link = Path("up")
        link.symlink_to("..")
        return self._holds(link / "out/secret.txt")

    def links_hard_to_outside(self) -> bool:
        link = Path("hard-outside")
        link.hardlink_to(self._secret)
        return self._holds(link)

    def reads_outside_through_a_process(self) -> bool:
        return self._any_holds(cwd / "secret.txt" for cwd in _of_processes("cwd"))

    def changes_a_file_outside(self) -> bool:
        return _writes(self._secret)

    def adds_a_file_outside(self) -> bool:
        return _writes(self._outside / "probe")

    def connects_to_a_socket_outside(self) -> bool:
        return _connects(socket.AF_UNIX, str(self._outside / "socket"))

    def reads_shared_memory(self) -> bool:
        return self._holds(self._shared)

    # --- other processes --------------------------------------------------------------------------

    def sees_a_process(self) -> bool:
        commands = [path.read_bytes() for path in _of_processes("cmdline")]
        own = self._canary  # in this very command
        return any(self._victim_name in one and own not in one for one in commands)

    def reads_the_environment_of_a_process(self) -> bool:
        return self._any_holds(_of_processes("environ"))

    def signals_a_process(self) -> bool:
        os.kill(self._victim, 0)
        return True

    def traces_a_process(self) -> bool:
        if _C.ptrace(_PTRACE_SEIZE, self._victim, None, None):
            return False
        _C.ptrace(_PTRACE_DETACH, self._victim, None, None)
        return True

    # --- the network and terminals ----------------------------------------------------------------

    def connects_to_the_machine(self) -> bool:
        return _connects(socket.AF_INET, ("127.0.0.1", self._port))

    def connects_to_an_abstract_socket(self) -> bool:
        return _connects(socket.AF_UNIX, "\0" + self._abstract)

    def opens_a_rare_socket(self) -> bool:
        families = (socket.AF_PACKET, socket.AF_ALG, socket.AF_VSOCK)
        kinds = (socket.SOCK_RAW, socket.SOCK_SEQPACKET, socket.SOCK_STREAM)
        return any(attempt(_opens, *one) for one in zip(families, kinds, strict=True))

    def types_into_a_terminal(self) -> bool:
        fcntl.ioctl(0, termios.TIOCSTI, b"x")
        return True

    # --- rights -----------------------------------------------------------------------------------

    def could_gain_rights(self) -> bool:
        return _status("NoNewPrivs") == "0"

    def has_rights(self) -> bool:
        return any(int(_status(kind), 16) for kind in ("CapEff", "CapPrm", "CapBnd"))

    def makes_a_device(self) -> bool:
        os.mknod("device", stat.S_IFBLK | 0o600, os.makedev(7, 0))
        return True

    def opens_a_disk(self) -> bool:
        disks = [disk for kind in ("sd?", "vd?", "nvme*n?") for disk in Path("/dev").glob(kind)]
        return any(attempt(lambda path: path.open("rb").readable(), disk) for disk in disks)

    def leaves_a_program_that_changes_the_user(self) -> bool:
        made, changed = Path("made"), Path("changed")
        attempt(lambda: os.open(made, os.O_CREAT | os.O_WRONLY, 0o755 | stat.S_ISUID) > 0)
        _writes(changed)
        attempt(changed.chmod, 0o755 | stat.S_ISUID)
        found = [path.stat().st_mode for path in (made, changed) if path.exists()]
        return any(mode & stat.S_ISUID for mode in found)

    def mounts(self) -> bool:
        Path("mount").mkdir()
        if _C.mount(b"tmpfs", b"mount", b"tmpfs", 0, None):
            return False
        return bool(_C.umount2(b"mount", 0) == 0)

    def makes_namespaces(self) -> bool:
        return _in_a_child(lambda: _C.unshare(_CLONE_NEWUSER) == 0)

    def makes_namespaces_with_a_child(self) -> bool:
        flags = _CLONE_NEWUSER | _SIGCHLD
        return _in_a_child(lambda: _forks(_call(56, 220, flags, 0, 0, 0, 0)))

    def makes_namespaces_with_a_child_in_the_new_way(self) -> bool:
        wanted = struct.pack("8Q", _CLONE_NEWUSER, 0, 0, 0, _SIGCHLD, 0, 0, 0)
        return _in_a_child(lambda: _forks(_call(435, 435, wanted, len(wanted))))

    def changes_the_kernel(self) -> bool:
        os.close(os.open("/proc/sys/kernel/core_pattern", os.O_WRONLY))
        return True

    # --- parts of the kernel that escapes are made of ---------------------------------------------

    def keeps_a_key_in_the_kernel(self) -> bool:
        return _call(248, 217, b"user", b"probe", b"x", 1, _PROCESS_KEYRING) >= 0

    def uses_bpf(self) -> bool:
        array = struct.pack("4I", 2, 4, 4, 1).ljust(72, b"\0")
        return _call(321, 280, 0, array, len(array)) >= 0

    def serves_page_faults(self) -> bool:
        return _call(323, 282, 1) >= 0

    def uses_io_uring(self) -> bool:
        return _call(425, 425, 4, bytes(120)) >= 0


def attempt(function: Callable[..., object], *arguments: object) -> bool:
    """Tell whether something succeeds."""
    try:
        return bool(function(*arguments))
    except (OSError, ValueError):
        return False


def _call(x86_64: int, generic: int, *arguments: Any) -> int:
    return int(_C.syscall(generic if _GENERIC else x86_64, *arguments))


def _of_processes(name: str) -> Iterable[Path]:
    return Path("/proc").glob(f"[0-9]*/{name}")


def _writes(path: Path) -> bool:
    with path.open("a") as file:
        return file.write("probe") > 0


def _renames(path: Path) -> bool:
    path.rename(f"{path}-moved").rename(path)
    return True


def _opens(family: int, kind: int) -> bool:
    with socket.socket(family, kind) as one:
        return one.fileno() >= 0


def _connects(family: int, address: Any) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as one:
        one.settimeout(5)
        one.connect(address)
    return True


def _status(name: str) -> str:
    with Path("/proc/self/status").open() as file:
        return next(line.split()[1] for line in file if line.startswith(f"{name}:"))


def _forks(child: int) -> bool:
    if child == 0:
        os._exit(0)
    return child > 0


def _in_a_child(function: Callable[[], bool]) -> bool:
    child = os.fork()
    if not child:
        try:
            os._exit(0 if function() else 1)
        finally:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def main(facts: dict[str, Any]) -> None:
    """Make all attempts and print how they went."""
    outside = Outside(facts)
    names = [name for name in vars(Outside) if not name.startswith("_")]
    print(json.dumps({name: attempt(getattr(outside, name)) for name in names}))  # noqa: T201


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
