"""A gateway that runs in the background, without a service manager, and its log."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO

from nanobot.errors import NanobotError, StorageError
from nanobot.paths import Instance, private_dir

from nanobot_gateway.gateway import status_path
from nanobot_gateway.locking import holder

START_S = 60.0
LOOK_S = 0.1
LOG_BYTES = 5 * 1024 * 1024
"""A log that is longer is put aside at the next start."""
LOGS_KEPT = 3
SHOWN_LINES = 20
"""Lines of the log that are shown of a gateway that did not come up."""


class NotStarted(NanobotError):
    """Report a gateway that ended before it was ready."""


def log_path(data: Path) -> Path:
    """Return the file that a gateway without a terminal writes to."""
    return data / "logs" / "gateway.log"


def start(instance: Instance, command: Sequence[str]) -> int:
    """Start a gateway that outlives this process and its terminal; return its pid once it is up.

    Raises:
        NotStarted: It ended; has the last lines of its log.
        NanobotError: It is not up in time, and goes on trying.
        StorageError: The log can not be written.
    """
    earlier = stamp(instance.data)
    path = log_path(instance.data)
    with open_log(path) as log:
        begin = log.tell()
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    pid = await_ready(instance, earlier, lambda: child.poll() is not None)
    if pid == child.pid:
        return pid
    code = child.wait()
    raise not_started(f"exit status {code}", last_lines(path, SHOWN_LINES, begin=begin))


def not_started(how: str, lines: Sequence[str]) -> NotStarted:
    """Return the error for a gateway that ended before it was ready.

    Args:
        how: How it ended, in words.
        lines: The last lines of its log.
    """
    shown = "\n".join(lines) or "(it wrote nothing)"
    return NotStarted(
        f"the gateway did not start ({how}); it said:\n{shown}",
        remedy="Put that right, and start it again.",
    )


def stamp(data: Path) -> tuple[int, str]:
    """Return which gateway wrote the state last: its pid, and when it was started."""
    try:
        status = json.loads(status_path(data).read_text())
        return int(status["pid"]), str(status["started_at"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0, ""


def await_ready(instance: Instance, earlier: tuple[int, str], ended: Callable[[], bool]) -> int:
    """Wait for a gateway that has just been started; return its pid, 0 when it ended first.

    Args:
        earlier: The stamp from before it was started.
        ended: Says that it is no more.

    Raises:
        NanobotError: Neither came to pass in time.
    """
    until = time.monotonic() + START_S
    while True:
        gone = ended()  # asked first: what it wrote before it ended counts
        now = stamp(instance.data)
        # The lock is looked at last. A look holds it for an instant, and whoever takes it in that
        # instant would believe that another gateway is running.
        if now != earlier and holder(instance) == now[0]:
            return now[0]
        if gone:
            return 0
        if time.monotonic() > until:
            raise NanobotError(
                f"the gateway is not ready after {START_S:.0f} s, and goes on starting",
                remedy="See how it fares: nanobot gateway status, nanobot gateway logs",
            )
        time.sleep(LOOK_S)


# --- the log ------------------------------------------------------------------------------------


def open_log(path: Path) -> IO[bytes]:
    """Open a log to add to it, for its owner alone; a long one is put aside first.

    Raises:
        StorageError: It can not be written.
    """
    try:
        private_dir(path.parent)
        if path.exists() and path.stat().st_size > LOG_BYTES:
            _put_aside(path)
        log = open(path, "ab", opener=_open_private)  # noqa: SIM115 - the caller closes it
        os.fchmod(log.fileno(), 0o600)
    except OSError as error:
        raise StorageError(
            f"{path} can not be written: {error.strerror}",
            remedy="The gateway needs to write to its data folder.",
        ) from None
    return log


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NOFOLLOW, 0o600)


def _put_aside(path: Path) -> None:
    for number in reversed(range(LOGS_KEPT)):
        source = path.with_name(f"{path.name}.{number}") if number else path
        if source.exists():
            source.replace(path.with_name(f"{path.name}.{number + 1}"))


def last_lines(path: Path, count: int, *, begin: int = 0) -> list[str]:
    """Return the last lines of a log, of what was written after a byte position.

    Raises:
        StorageError: There is no log, or it can not be read.
    """
    with _reading(path) as log:
        log.seek(begin)
        return [_text(line) for line in deque(log, maxlen=count)]


def follow(path: Path, count: int) -> Iterator[str]:
    """Yield the last lines of a log, and then what is added, also after it was put aside.

    Raises:
        StorageError: There is no log, or it can not be read.
    """
    log = _reading(path)
    try:
        waiting = deque(log, maxlen=count)
        begun = b""
        while True:
            begun += waiting.popleft() if waiting else log.readline()
            if begun.endswith(b"\n"):
                yield _text(begun)
                begun = b""
            elif _replaced(path, log):
                log.close()
                log = _reading(path)
            else:
                time.sleep(LOOK_S)
    finally:
        log.close()


def _reading(path: Path) -> IO[bytes]:
    try:
        return path.open("rb")
    except FileNotFoundError:
        raise StorageError(
            f"there is no log yet: {path}",
            remedy="It is written by: nanobot gateway start. A gateway in a terminal writes there.",
        ) from None
    except OSError as error:
        raise StorageError(f"{path} can not be read: {error.strerror}") from None


def _replaced(path: Path, log: IO[bytes]) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return found.st_ino != os.fstat(log.fileno()).st_ino or found.st_size < log.tell()


def _text(line: bytes) -> str:
    return line.decode(errors="replace").rstrip("\r\n")
