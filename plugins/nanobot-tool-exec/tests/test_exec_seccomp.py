"""The filter of system calls, run by an interpreter of its instructions."""

from __future__ import annotations

import errno
import platform
import struct

import pytest
from nanobot_tool_exec import seccomp

ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
X86_64, AARCH64 = 0xC000003E, 0xC00000B7
ALL = (seccomp.AF_UNIX, seccomp.AF_INET, seccomp.AF_INET6, seccomp.AF_NETLINK)


def verdict(program: bytes, architecture: int, number: int, *arguments: int) -> int:
    """Return what the kernel would do with a call: linux/filter.h, as far as it is used."""
    data = struct.pack("=iIQ6Q", number, architecture, 0, *(*arguments, *[0] * 6)[:6])
    code = list(struct.iter_unpack("HBBI", program))
    at, accumulator = 0, 0
    while True:
        what, if_true, if_false, value = code[at]
        at += 1
        if what == 0x20:
            accumulator = struct.unpack_from("=I", data, value)[0]
        elif what == 0x15:
            at += if_true if accumulator == value else if_false
        elif what == 0x45:
            at += if_true if accumulator & value else if_false
        else:
            assert what == 0x06
            return int(value)


REFUSED = ERRNO | errno.EPERM
LACKING = ERRNO | errno.ENOSYS
NO_FAMILY = ERRNO | errno.EAFNOSUPPORT

CASES = [
    ("read", 0, 63, (), ALLOW),
    ("execve", 59, 221, (), ALLOW),
    ("fork by clone", 56, 220, (0x01200011,), ALLOW),
    ("thread by clone", 56, 220, (0x003D0F00,), ALLOW),
    ("clone with a user namespace", 56, 220, (0x10000011,), REFUSED),
    ("clone with a network namespace", 56, 220, (0x40000011,), REFUSED),
    ("clone3", 435, 435, (), LACKING),
    ("openat2", 437, 437, (), LACKING),
    ("mount", 165, 40, (), REFUSED),
    ("ptrace", 101, 117, (), REFUSED),
    ("keyctl", 250, 219, (), REFUSED),
    ("bpf", 321, 280, (), REFUSED),
    ("userfaultfd", 323, 282, (), REFUSED),
    ("unshare", 272, 97, (), REFUSED),
    ("setns", 308, 268, (), REFUSED),
    ("io_uring_setup", 425, 425, (), REFUSED),
    ("pidfd_getfd", 438, 438, (), REFUSED),
    ("TCGETS", 16, 29, (0, 0x5401), ALLOW),
    ("TIOCSTI", 16, 29, (0, 0x5412), REFUSED),
    ("TIOCSTI with high bits", 16, 29, (0, 0x1_0000_5412), REFUSED),
    ("TIOCLINUX", 16, 29, (0, 0x541C), REFUSED),
    ("chmod 755", 268, 53, (0, 0, 0o755), ALLOW),
    ("chmod 4755", 268, 53, (0, 0, 0o4755), REFUSED),
    ("chmod 2755", 91, 52, (0, 0o2755), REFUSED),
    ("create 600", 257, 56, (0, 0, 0o101, 0o600), ALLOW),
    ("create 4755", 257, 56, (0, 0, 0o101, 0o4755), REFUSED),
    ("unnamed 4755", 257, 56, (0, 0, 0o20200001, 0o4755), REFUSED),
    ("open with rubbish for a mode", 257, 56, (0, 0, 0, 0o4755), ALLOW),
    ("unix", 41, 198, (1, 1, 0), ALLOW),
    ("inet", 41, 198, (2, 1, 0), ALLOW),
    ("inet6", 41, 198, (10, 1, 0), ALLOW),
    ("netlink route", 41, 198, (16, 3, 0), ALLOW),
    ("netlink of the firewall", 41, 198, (16, 3, 12), NO_FAMILY),
    ("packet", 41, 198, (17, 3, 0), NO_FAMILY),
    ("crypto", 41, 198, (38, 5, 0), NO_FAMILY),
    ("virtual machine", 41, 198, (40, 1, 0), NO_FAMILY),
    ("pair", 53, 199, (1, 1, 0), ALLOW),
    ("rare pair", 53, 199, (30, 1, 0), NO_FAMILY),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0])
def test_calls(case: tuple[str, int, int, tuple[int, ...], int]) -> None:
    _, x86_64, generic, arguments, expected = case
    assert verdict(seccomp.program(ALL, machine="x86_64"), X86_64, x86_64, *arguments) == expected
    assert (
        verdict(seccomp.program(ALL, machine="aarch64"), AARCH64, generic, *arguments) == expected
    )


def test_other_numberings_of_the_same_calls_are_no_way_round() -> None:
    program = seccomp.program(ALL, machine="x86_64")
    assert verdict(program, 0x40000003, 21) == KILL, "mount of 32-bit programs"
    assert verdict(program, X86_64, 0x40000000 | 165) == LACKING, "mount of the x32 ABI"
    assert verdict(seccomp.program(ALL, machine="aarch64"), X86_64, 165) == KILL


@pytest.mark.parametrize("family", ALL)
def test_without_families_there_are_pairs_alone(family: int) -> None:
    program = seccomp.program((), machine="x86_64")
    assert verdict(program, X86_64, 41, family, 1, 0) == NO_FAMILY
    assert verdict(program, X86_64, 53, seccomp.AF_UNIX, 1, 0) == ALLOW


def test_machines_that_are_not_known_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert seccomp.unsupported() == "", "the machine of this test is one of the known"
    monkeypatch.setattr(platform, "machine", lambda: "vax")
    assert "vax" in seccomp.unsupported()
    monkeypatch.setattr(platform, "system", lambda: "Darwin")
    assert "Darwin" in seccomp.unsupported()
