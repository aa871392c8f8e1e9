"""Run an MCP server and leave nothing of it behind.

`nanobot_tool_mcp.stdio` starts this file as a script, with the standard library alone::

    python -I -S launcher.py LIFELINE COMMAND [ARGUMENT ...]

The server gets this process's standard streams. Its processes form a tree below this one, which as
a *child subreaper* (prctl(2)) inherits also those that try to leave. When the server ends, or the
lifeline breaks, what is left of the tree is ended: first asked to, then killed.

LIFELINE is the reading end of a pipe. nanobot closes the other end to stop the server; the kernel
closes it when nanobot dies.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time

GRACE_S = 1.0
"""How long processes may take to obey SIGTERM."""

KILL_S = 3.0
"""How long to try SIGKILL; more is for processes that the kernel holds, or of another user."""

_STEP_S = 0.05
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_BLOCKED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def descendants(pid: int) -> list[int]:
    """Return all processes below one, parents first, from proc(5)."""
    children: dict[int, list[int]] = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - importing pathlib doubles the start-up time
    except OSError:
        return []
    for name in filter(str.isdigit, names):
        try:
            with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                parent = int(file.read().rpartition(b")")[2].split()[1])
        except OSError:
            continue  # it has just ended
        children.setdefault(parent, []).append(int(name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found[1:]


def _send(number: int, pids: list[int]) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


def _reap(server: int) -> tuple[bool, int | None]:
    """Collect all that have ended; tell if any are left, and the server's status if it ended."""
    status = None
    while True:
        try:
            pid, code = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False, status
        if not pid:
            return True, status
        if pid == server:
            status = os.waitstatus_to_exitcode(code)


def _end(server: int) -> None:
    """End all processes, politely at first."""
    asked: set[int] = set()
    until = time.monotonic() + GRACE_S
    while _reap(server)[0] and time.monotonic() < until:
        news = [pid for pid in _tree(server) if pid not in asked]
        _send(signal.SIGTERM, news)
        asked.update(news)
        time.sleep(_STEP_S)
    until = time.monotonic() + KILL_S
    while _reap(server)[0] and time.monotonic() < until:
        _send(signal.SIGSTOP, _tree(server))  # what stands still can not fork any more
        _send(signal.SIGKILL, _tree(server))
        time.sleep(_STEP_S)


def _tree(server: int) -> list[int]:
    return descendants(os.getpid()) or [server]  # without proc(5), the server alone


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except AttributeError:
        return  # not Linux: what leaves the tree is not found


def _become(command: list[str], launcher: int) -> None:
    """Turn into the server."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != launcher:
        return  # it died before the line above
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the owner's
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        sys.stderr.flush()


def main(argv: list[str]) -> int:
    """Run the server; return its exit status, 128 + n when signal n ended it."""
    lifeline, command = int(argv[0]), argv[1:]
    os.set_inheritable(lifeline, False)
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    launcher = os.getpid()
    server = os.fork()
    if not server:
        try:
            _become(command, launcher)
        finally:
            os._exit(127)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)  # the pipes are the server's alone: it is seen when it closes them
    os.dup2(null, 1)
    status = None
    while status is None:
        ready = select.select([wake, lifeline], [], [])[0]
        if wake in ready:
            os.read(wake, 4096)
            status = _reap(server)[1]
        if lifeline in ready:
            break
    _end(server)
    code = -signal.SIGTERM if status is None else status
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
