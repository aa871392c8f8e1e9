"""What a worker takes from itself before it touches a document."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_ADDRESS_SPACE = 1 << 30  # bytes beyond the memory: programs and libraries are mapped, not used


def seal(memory: int, cpu_s: int) -> None:
    """Bound memory and processor time, forbid files and new processes, and die with nanobot.

    Args:
        memory: Bytes.
        cpu_s: Seconds.
    """
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    _limit(resource.RLIMIT_DATA, memory)
    _limit(resource.RLIMIT_AS, memory + _ADDRESS_SPACE)
    _limit(resource.RLIMIT_CPU, cpu_s)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    os.nice(10)


def _limit(what: int, most: int) -> None:
    hard = resource.getrlimit(what)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(what, (most, most))
