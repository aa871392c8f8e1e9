"""Run one command and leave nothing of it behind.

`nanobot_tool_exec.process` starts this file as a script, with the standard library alone::

    python -I -S supervisor.py STDIN /bin/bash -c COMMAND

where STDIN is the number of the descriptor that becomes the command's standard input, or ``-``
for an empty one.

The command's processes form a tree below this one. As a *child subreaper* (prctl(2)) it inherits
also those that try to leave the tree, by a double fork and setsid(2). When the command ends, or
the lifeline breaks, what is left of the tree is ended: first asked to, then killed.

The lifeline is standard input. nanobot closes it to stop the command; the kernel closes it when
nanobot dies. The exit status is the command's, 128 + n when signal n ended it, as in a shell.
"""

from __future__ import annotations

import _signal as signal  # type: ignore[import-not-found]  # signal takes 5 ms to make enumerations
import ctypes
import os
import select
import sys
import time
from collections.abc import Callable

GRACE_S = 1.0
"""How long processes may take to obey SIGTERM."""

KILL_S = 5.0
"""How long to try SIGKILL; more is for processes that the kernel holds, or of another user."""

_STEP_S = 0.05
_LONG_S = 86_400.0
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_BLOCKED = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


def processes() -> dict[int, tuple[int, int]]:
    """Return the parent and the session of every process by its id, from proc(5)."""
    found = {}
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - importing pathlib doubles the start-up time
    except OSError:
        return {}
    for name in names:
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                    fields = file.read().rpartition(b")")[2].split()
            except OSError:
                continue  # it has just ended
            found[int(name)] = (int(fields[1]), int(fields[3]))
    return found


def descendants(pid: int) -> list[int]:
    """Return all processes below one, parents first."""
    children: dict[int, list[int]] = {}
    for child, (parent, _) in processes().items():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found[1:]


def send(number: int, pids: list[int]) -> None:
    """Send a signal to processes that may already be gone, or belong to somebody else."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue


class Tree:
    """The processes below this one.

    Args:
        wake: A descriptor that becomes readable when a child has ended.
    """

    def __init__(self, wake: int) -> None:
        self.shell = 0
        self.status: int | None = None
        self._wake = wake

    def start(self, become: Callable[[], None]) -> None:
        """Fork the shell, which becomes the command."""
        self.shell = os.fork()
        if not self.shell:
            try:
                become()
            finally:
                os._exit(126)

    def reap(self) -> bool:
        """Collect all that have ended; tell whether any are left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return False
            if not pid:
                return True
            if pid == self.shell:
                self.status = os.waitstatus_to_exitcode(status)

    def wait(self, seconds: float, *others: int) -> list[int]:
        """Wait until a child ends or another descriptor is ready; return those that are."""
        ready = select.select([self._wake, *others], [], [], seconds)[0]
        if self._wake in ready:
            os.read(self._wake, 4096)
            ready.remove(self._wake)
        return ready

    def pids(self) -> list[int]:
        """Return the whole tree; without proc(5), the shell alone."""
        return descendants(os.getpid()) or [self.shell]

    def end(self) -> None:
        """End all processes, politely at first."""
        asked: set[int] = set()
        until = time.monotonic() + GRACE_S
        while self.reap() and time.monotonic() < until:
            news = [pid for pid in self.pids() if pid not in asked]
            send(signal.SIGTERM, news)
            asked.update(news)
            self.wait(_STEP_S)
        until = time.monotonic() + KILL_S
        while self.reap() and time.monotonic() < until:
            send(signal.SIGSTOP, self.pids())  # what stands still can not fork any more
            send(signal.SIGKILL, self.pids())
            self.wait(_STEP_S)


def _prctl(option: int, value: int) -> None:
    try:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
    except AttributeError:
        return  # not Linux: what leaves the process group is not found


def _become(argv: list[str], stdin: str, supervisor: int) -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != supervisor:
        return  # it died before the line above
    os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    descriptor = os.open(os.devnull, os.O_RDONLY) if stdin == "-" else int(stdin)
    os.dup2(descriptor, 0)
    os.close(descriptor)
    try:
        with open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
            file.write("500")  # when memory runs out, the command goes before nanobot does
    except OSError:
        pass
    os.execv(argv[0], argv)  # noqa: S606 - the shell is the point


def main(stdin: str, argv: list[str]) -> int:
    """Run the command given by path and arguments; return the exit status."""
    # Blocked, not ignored: what is sent to the shell before it has begun reaches it then.
    signal.pthread_sigmask(signal.SIG_BLOCK, _BLOCKED)
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    tree = Tree(wake)
    supervisor = os.getpid()
    lifeline = sys.stdin.fileno()
    if lifeline not in tree.wait(0, lifeline):
        tree.start(lambda: _become(argv, stdin, supervisor))
        while tree.status is None and lifeline not in tree.wait(_LONG_S, lifeline):
            tree.reap()
        tree.end()
    code = tree.status if tree.status is not None else -signal.SIGKILL
    return 128 - code if code < 0 else code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
