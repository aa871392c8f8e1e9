"""Private files and folders, and the replacing of a file in one step."""

from __future__ import annotations

import os
from pathlib import Path


def private_dir(path: Path) -> Path:
    """Create a folder with mode 0700, parents included, and return it."""
    missing = []
    folder = path
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Replace a file in one step, mode 0600; a crash leaves the old content or the new.

    Missing folders are made, with mode 0700. A link is replaced by a file.

    Raises:
        OSError: It can not be written; the old content is still there.
    """
    private_dir(path.parent)
    # The name is new each time: threads and processes that write the same file do not meet.
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")
    try:
        with open(temporary, "xb", opener=_open_private) as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _open_private(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)
