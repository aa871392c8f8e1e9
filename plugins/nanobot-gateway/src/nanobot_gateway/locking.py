"""One gateway per instance and per workspace."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from nanobot.errors import StorageError
from nanobot.paths import Instance, private_dir


class AlreadyRunning(StorageError):
    """Report that another gateway serves the instance or its workspace.

    Args:
        pid: The other's process id, 0 when it is not known.
    """

    def __init__(self, message: str, *, pid: int, remedy: str) -> None:
        super().__init__(message, remedy=remedy)
        self.pid = pid


def lock_paths(instance: Instance) -> tuple[Path, Path]:
    """Return the lock files of an instance: of its data, and of its workspace."""
    return instance.data / "gateway.lock", instance.workspace / ".nanobot" / "gateway.lock"


@contextmanager
def held(instance: Instance) -> Iterator[None]:
    """Hold an instance and its workspace; both are free again when the process ends, however.

    Raises:
        AlreadyRunning: Another gateway holds one of them; names its pid and configuration.
        StorageError: A lock can not be written.
    """
    with ExitStack() as stack:
        for path in lock_paths(instance):
            stack.enter_context(_locked(path, instance))
        yield


def holder(instance: Instance) -> int:
    """Return the pid of the gateway that runs for an instance, 0 for none."""
    path = lock_paths(instance)[0]
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _pid(_written(path))
    except OSError:
        pass
    return 0


@contextmanager
def _locked(path: Path, instance: Instance) -> Iterator[None]:
    try:
        private_dir(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StorageError(
            f"{path} can not be written: {error.strerror}",
            remedy="The gateway needs to write to its data folder and its workspace.",
        ) from None
    try:
        if not _taken(descriptor):
            raise _running(path)
        owner = {"pid": os.getpid(), "config": str(instance.config)}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(owner).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _taken(descriptor: int) -> bool:
    """Take a lock; somebody who only looks at it holds it for a moment, so ask a few times."""
    for _ in range(5):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.01)
        else:
            return True
    return False


def _running(path: Path) -> AlreadyRunning:
    other = _written(path)
    pid = _pid(other)
    return AlreadyRunning(
        f"another gateway is running (pid {pid or 'unknown'}, configuration "
        f"{other.get('config', 'unknown')}): it holds {path}",
        pid=pid,
        remedy="Stop it (nanobot gateway stop), or give this one a workspace and a configuration "
        "folder of its own.",
    )


def _written(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pid(owner: dict[str, object]) -> int:
    found = owner.get("pid")
    return found if isinstance(found, int) else 0
