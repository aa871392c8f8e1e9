"""The filter of system calls for confined programs, as a program of the kernel's packet filter.

The kernel runs it before every system call: seccomp(2), ``struct seccomp_data`` and ``struct
sock_filter`` in linux/seccomp.h and linux/filter.h. It takes away what escapes are made of and
programs do without: mounts, namespaces, tracing, kernel keys, BPF, io_uring, faults served by the
program, rare socket families, characters put into a terminal, and set-user-ID bits, which would
outlive the sandbox. A forbidden call fails; nothing is killed but a program of another
architecture, whose calls have other numbers.
"""

from __future__ import annotations

import errno
import platform
import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass

AF_UNIX, AF_INET, AF_INET6, AF_NETLINK = 1, 2, 10, 16

_LOAD, _EQUAL, _ANY_BIT, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16

_ARCHITECTURES = {
    "x86_64": 0xC000003E,
    "aarch64": 0xC00000B7,
    "riscv64": 0xC00000F3,
}
_X32 = 0x40000000

# Number on x86_64 and in the table that newer architectures share; None where there is none.
_CALLS: dict[str, tuple[int | None, int | None]] = {
    "acct": (163, 89),
    "add_key": (248, 217),
    "bpf": (321, 280),
    "chroot": (161, 51),
    "clock_settime": (227, 112),
    "delete_module": (176, 106),
    "fanotify_init": (300, 262),
    "finit_module": (313, 273),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "init_module": (175, 105),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "ioperm": (173, None),
    "iopl": (172, None),
    "kcmp": (312, 272),
    "kexec_file_load": (320, 294),
    "kexec_load": (246, 104),
    "keyctl": (250, 219),
    "lookup_dcookie": (212, 18),
    "migrate_pages": (256, 238),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "move_pages": (279, 239),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "open_tree_attr": (467, 467),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_madvise": (440, 440),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "reboot": (169, 142),
    "request_key": (249, 218),
    "setdomainname": (171, 162),
    "sethostname": (170, 161),
    "setns": (308, 268),
    "settimeofday": (164, 170),
    "swapoff": (168, 225),
    "swapon": (167, 224),
    "syslog": (103, 116),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
    "vhangup": (153, 58),
}
_JUDGED: dict[str, tuple[int | None, int | None]] = {
    "chmod": (90, None),
    "clone": (56, 220),
    "clone3": (435, 435),
    "creat": (85, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "ioctl": (16, 29),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "open": (2, None),
    "openat": (257, 56),
    "openat2": (437, 437),
    "socket": (41, 198),
    "socketpair": (53, 199),
}
_NAMESPACES = 0x7E020000  # CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID and NET
_SET_ID = 0o6000
_CREATE = 0o20000100  # O_CREAT and what is O_TMPFILE beside O_DIRECTORY
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_MODES = {
    **{"chmod": 1, "fchmod": 1, "fchmodat": 2, "fchmodat2": 2, "creat": 1},
    **{"mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2},
}
"""Which argument is the mode of a file."""


@dataclass(frozen=True, slots=True)
class _Test:
    """What is true of the lower half of an argument."""

    argument: int
    how: int
    value: int


@dataclass(frozen=True, slots=True)
class _Rule:
    """What becomes of a system call when all of its tests are true."""

    call: str
    verdict: int
    tests: tuple[_Test, ...] = ()


def unsupported() -> str:
    """Return why there is no filter for this machine, in words; empty when there is one."""
    system, machine = platform.system(), platform.machine()
    if system != "Linux":
        return f"it needs Linux, and this is {system}"
    return "" if machine in _ARCHITECTURES else f"no system call filter is known for {machine}"


def program(families: Collection[int], *, machine: str = "") -> bytes:
    """Return the filter, an array of ``struct sock_filter``.

    Args:
        families: Socket families that may be used; of netlink only routing, which tells programs
            their own addresses. Pairs of connected sockets are not restricted.
        machine: Whose system calls, as uname(2) calls it; this one's when left out.
    """
    machine = machine or platform.machine()
    column = 0 if machine == "x86_64" else 1
    code = [
        _instruction(_LOAD, _ARCHITECTURE),
        _instruction(_EQUAL, _ARCHITECTURES[machine], skip_if_true=1),
        _instruction(_RETURN, _KILL),
    ]
    if machine == "x86_64":  # a second table of the same calls, under other numbers
        code += [
            _instruction(_LOAD, _NUMBER),
            _instruction(_ANY_BIT, _X32, skip_if_false=1),
            _instruction(_RETURN, _ERRNO | errno.ENOSYS),
        ]
    for rule in _rules(families):
        number = {**_CALLS, **_JUDGED}[rule.call][column]
        if number is not None:
            code += _compiled(rule, number)
    return b"".join([*code, _instruction(_RETURN, _ALLOW)])


def _rules(families: Collection[int]) -> Iterator[_Rule]:
    refused = _ERRNO | errno.EPERM
    for call in _CALLS:
        yield _Rule(call, refused)
    yield _Rule("clone", refused, (_Test(0, _ANY_BIT, _NAMESPACES),))
    # What is asked for lies in memory, out of the filter's sight; the C library then uses others.
    yield _Rule("clone3", _ERRNO | errno.ENOSYS)
    yield _Rule("openat2", _ERRNO | errno.ENOSYS)
    for command in (_TIOCSTI, _TIOCLINUX):
        yield _Rule("ioctl", refused, (_Test(1, _EQUAL, command),))
    for call, argument in _MODES.items():
        yield _Rule(call, refused, (_Test(argument, _ANY_BIT, _SET_ID),))
    for call, flags in (("open", 1), ("openat", 2)):
        made = (_Test(flags, _ANY_BIT, _CREATE), _Test(flags + 1, _ANY_BIT, _SET_ID))
        yield _Rule(call, refused, made)
    for family in families:
        routing = (_Test(2, _EQUAL, 0),) if family == AF_NETLINK else ()
        yield _Rule("socket", _ALLOW, (_Test(0, _EQUAL, family), *routing))
    yield _Rule("socket", _ERRNO | errno.EAFNOSUPPORT)
    yield _Rule("socketpair", _ALLOW, (_Test(0, _EQUAL, AF_UNIX),))
    yield _Rule("socketpair", _ERRNO | errno.EAFNOSUPPORT)


def _compiled(rule: _Rule, number: int) -> list[bytes]:
    """Return the instructions of a rule; where a test fails, what follows the rule goes on."""
    steps = [(_NUMBER, _EQUAL, number)]
    steps += [(_ARGUMENTS + 8 * one.argument, one.how, one.value) for one in rule.tests]
    code = []
    for index, (where, how, value) in enumerate(steps):
        left = 2 * (len(steps) - 1 - index) + 1
        code += [_instruction(_LOAD, where), _instruction(how, value, skip_if_false=left)]
    return [*code, _instruction(_RETURN, rule.verdict)]


def _instruction(code: int, value: int, *, skip_if_true: int = 0, skip_if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, skip_if_true, skip_if_false, value)
