"""The files in ``{workspace}/tools``, read once: what is judged is what is loaded."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from nanobot.errors import OutsideWorkspace, ToolError
from nanobot_security import Disk

from nanobot_tool_workspace.config import FOLDER

MAX_BYTES = 1024 * 1024
MAX_FILES = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A file that may hold tools.

    Args:
        name: Name of the file.
        path: Where it lies.
        data: Its content, empty if it can not be read.
        problem: Why it can not be read.
    """

    name: str
    path: Path
    data: bytes = field(default=b"", repr=False)
    problem: str = ""

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the content."""
        return hashlib.sha256(self.data).hexdigest()


def find(workspace: Path) -> tuple[Source, ...]:
    """Return the files in alphabetical order, without those that begin with ``_``; blocks."""
    workspace = workspace.resolve()  # approvals hold however the folder is spelled
    disk = Disk(workspace, restricted=True)
    try:
        entries = disk.list(FOLDER)
    except ToolError:  # there is no such folder
        return ()
    names = sorted(
        entry.path
        for entry in entries
        if entry.path.endswith(".py") and not entry.path.startswith(("_", "."))
    )
    return tuple(_read(disk, workspace, name) for name in names[:MAX_FILES])


def _read(disk: Disk, workspace: Path, name: str) -> Source:
    path = workspace / FOLDER / name
    if not name.isprintable():  # on a terminal it could pass for another one
        return Source(name=ascii(name), path=path, problem="its name can not be shown")
    try:
        with disk.open_read(f"{FOLDER}/{name}") as file:
            data = file.read(MAX_BYTES + 1)
    except OutsideWorkspace:
        return Source(name=name, path=path, problem="it leads out of the workspace")
    except ToolError as error:
        return Source(name=name, path=path, problem=error.message)
    if len(data) > MAX_BYTES:
        return Source(name=name, path=path, problem=f"it is larger than {MAX_BYTES >> 20} MiB")
    return Source(name=name, path=path, data=data)
