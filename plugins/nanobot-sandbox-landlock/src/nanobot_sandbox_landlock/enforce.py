"""Give up rights for good, then become a program.

`nanobot_sandbox_landlock.sandbox` starts this file as a script, with the standard library alone::

    python -I -S enforce.py RULE VALUE ... -- PROGRAM ARGUMENT ...

The rules are ``read``, ``write`` and ``work`` for trees that may be read, changed, and changed as
the program's own; ``hidden`` for trees that are taken out of them; ``cover`` for those of them
that are folders right in a tree of the program's own, where a mount namespace can be had;
``network`` with ``yes`` to leave TCP alone; and ``filter`` for the filter of system calls in
hexadecimal. The kernel's side is described in landlock(7), user_namespaces(7), seccomp(2),
prctl(2) and capset(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import stat
import struct
import sys
from collections.abc import Sequence

ABI = 6
"""The least version of Landlock: the first that keeps signals in (Linux 6.12)."""

RULES = ("read", "write", "work", "hidden", "cover", "network", "filter")

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1
_PATH_BENEATH = 1

_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 2, 4, 8
_MAKE_CHAR, _MAKE_BLOCK, _TRUNCATE, _IOCTL_DEV = 64, 2048, 16384, 32768
_ALL = 2 * _IOCTL_DEV - 1
_READ = _EXECUTE | _READ_FILE | _READ_DIR
_WRITE = _ALL & ~(_MAKE_CHAR | _MAKE_BLOCK)
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP = 3
_SCOPES = 3  # abstract sockets and signals

_NOBODY = 65534
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_MS_REC, _MS_PRIVATE = 1 << 14, 1 << 18
_MS_SEALED = 0b1111  # read-only, no set-user-ID programs, no devices, no programs

_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 22, 2
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_CAPABILITIES_V3 = 0x20080522

_C = ctypes.CDLL(None, use_errno=True)
_C.syscall.restype = ctypes.c_long


def version() -> int:
    """Return the version of Landlock that the kernel has; 0 when it has none."""
    return max(int(_C.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION)), 0)


class Ruleset:
    """Paths and what may be done below them; all else is forbidden.

    Args:
        network: TCP is left alone.
    """

    def __init__(self, *, network: bool) -> None:
        attributes = struct.pack("QQQ", _ALL, 0 if network else _TCP, _SCOPES)
        size = ctypes.c_size_t(len(attributes))
        self._descriptor = _checked(_C.syscall(_CREATE_RULESET, attributes, size, 0))

    def allow(self, path: str, rights: int, hidden: set[str]) -> None:
        """Allow a tree, but for what is hidden in it.

        Rights hold for a whole tree. So where something is hidden below, its neighbours get them
        one by one, and the folder itself can only be listed.
        """
        if path in hidden:
            return
        if not any(one.startswith(path.rstrip("/") + "/") for one in hidden):
            self._add(path, rights)
            return
        self._add(path, _READ_DIR)
        try:
            entries = list(os.scandir(path))
        except OSError:
            return  # what this user can not list is not granted
        for entry in entries:
            if not entry.is_symlink():  # a link gives no right; where it leads decides
                self.allow(entry.path, rights, hidden)

    def _add(self, path: str, rights: int) -> None:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError:
            return
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= _OF_FILES
        rule = struct.pack("=Qi", rights, descriptor)
        _checked(_C.syscall(_ADD_RULE, self._descriptor, _PATH_BENEATH, rule, 0))
        os.close(descriptor)

    def enforce(self) -> None:
        """Hold this process, and all that it will start, to the rules."""
        _checked(_C.syscall(_RESTRICT_SELF, self._descriptor, 0))
        os.close(self._descriptor)


def cover(folders: Sequence[str]) -> None:
    """Mount something empty over folders, for this process alone.

    Landlock can not take a folder out of a tree.
    """
    user, group = os.getuid(), os.getgid()
    _checked(_C.unshare(_CLONE_NEWUSER | _CLONE_NEWNS))
    maps = {
        "setgroups": "deny",
        "uid_map": f"{user or _NOBODY} {user} 1",
        "gid_map": f"{group or _NOBODY} {group} 1",
    }
    for name, line in maps.items():
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123 - starts faster than pathlib
            file.write(line)
    _checked(_C.mount(None, b"/", None, _MS_REC | _MS_PRIVATE, None))
    for folder in folders:
        _checked(_C.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", _MS_SEALED, None))


def give_up_capabilities() -> None:
    """Drop the rights of root, now and in whatever is started."""
    with open("/proc/sys/kernel/cap_last_cap") as file:  # noqa: PTH123 - as above
        last = int(file.read())
    for capability in range(last + 1):
        _C.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # fails for those who have none
    header = struct.pack("Ii", _CAPABILITIES_V3, 0)
    _checked(_C.capset(header, bytes(24)))


def filter_calls(program: bytes) -> None:
    """Install the filter of system calls."""
    code = ctypes.create_string_buffer(program, len(program))
    array = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    _checked(_C.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, array, 0, 0))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def main(rules: dict[str, list[str]], argv: list[str]) -> None:
    """Do it; only returns by an exception."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if rules["cover"]:
        cover(rules["cover"])
    hidden = set(rules["hidden"])
    ruleset = Ruleset(network=bool(rules["network"]))
    for path in rules["read"]:
        ruleset.allow(path, _READ, hidden)
    for path in rules["write"]:
        ruleset.allow(path, _WRITE, hidden)
    for path in rules["work"]:
        ruleset.allow(path, _WRITE, hidden - set(rules["cover"]))
    _checked(_C.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    give_up_capabilities()
    ruleset.enforce()
    filter_calls(bytes.fromhex(rules["filter"][0]))
    os.execv(argv[0], argv)  # noqa: S606 - the program is the point


def read_rules(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each rule."""
    rules: dict[str, list[str]] = {name: [] for name in RULES}
    for name, value in zip(words[::2], words[1::2], strict=True):
        rules[name].append(value)
    return rules


if __name__ == "__main__":
    end = sys.argv.index("--")
    try:
        main(read_rules(sys.argv[1:end]), sys.argv[end + 1 :])
    except OSError as error:
        sys.exit(f"the sandbox could not be built: {error}")
