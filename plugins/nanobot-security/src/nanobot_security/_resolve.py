"""From a path to an open folder and a last name, without ever leaving a tree.

Two ways lead there: the kernel's own bounded resolution where it exists, and a walk that opens one
component at a time and reads links itself. The walk also serves links with an absolute target,
which the kernel's way refuses even when they stay inside.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from dataclasses import dataclass

from nanobot_security import _kernel
from nanobot_security._denied import DeniedAccess

FOLDER = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_CLOEXEC
_MAX_LINKS = 40
_MAX_OPEN = 200  # descriptors that the walk may hold, one for each level
_REFUSED_BY_KERNEL = (errno.EXDEV, errno.ELOOP, errno.EAGAIN)


class LeavesTree(Exception):
    """Report that a path leads out of the tree."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a path leads: a name in an open folder; a followed name is no link any more.

    Args:
        folder: Descriptor of the folder, to be closed by whoever asked for the place.
        name: The name in it; ``.`` stands for the folder itself.
    """

    folder: int
    name: str


def below(path: str, roots: tuple[str, ...]) -> list[str] | None:
    """Return the components of an absolute path below the first root that it starts with."""
    parts = split(path)
    for root in roots:
        head = split(root)
        if parts[: len(head)] == head:
            return parts[len(head) :]
    return None


def split(path: str) -> list[str]:
    """Return the components of a path, without empty ones and single dots."""
    return [part for part in path.split("/") if part not in ("", ".")]


class Tree:
    """A folder that resolution does not leave.

    Args:
        folder: Descriptor of the folder; stays the caller's.
        roots: Absolute paths by which links inside may name the folder.
    """

    def __init__(self, folder: int, roots: tuple[str, ...]) -> None:
        self._folder = folder
        self._roots = roots

    def directory(self, parts: list[str]) -> int:
        """Open a folder of the tree; links that stay inside are followed."""
        if _kernel.has_openat2():
            try:
                return _kernel.open_beneath(self._folder, "/".join(parts) or ".", FOLDER)
            except OSError as error:
                if error.errno not in _REFUSED_BY_KERNEL:
                    raise
        place = self._walk(parts)
        try:
            return os.open(place.name, FOLDER | os.O_NOFOLLOW, dir_fd=place.folder)
        finally:
            os.close(place.folder)

    def place(self, parts: list[str], *, follow: bool = True) -> Place:
        """Resolve a path up to its last name, which need not exist.

        Args:
            parts: Components of the path below the tree's folder.
            follow: False to take a link at the last name for itself.
        """
        if not parts or parts[-1] == "..":
            return Place(folder=self.directory(parts), name=".")
        folder = self.directory(parts[:-1])
        if not follow:
            return Place(folder=folder, name=parts[-1])
        try:
            found = os.stat(parts[-1], dir_fd=folder, follow_symlinks=False)
        except FileNotFoundError:
            return Place(folder=folder, name=parts[-1])
        except BaseException:
            os.close(folder)
            raise
        if not stat.S_ISLNK(found.st_mode):
            return Place(folder=folder, name=parts[-1])
        os.close(folder)
        return self._walk(parts)

    def _walk(self, parts: list[str]) -> Place:
        todo = deque(parts)
        opened = [os.dup(self._folder)]  # the last one is where we are; ".." goes back by closing
        links = 0
        try:
            while todo:
                part = todo.popleft()
                if part == "..":
                    if len(opened) == 1:
                        raise LeavesTree
                    os.close(opened.pop())
                    continue
                target = _read_link(part, opened[-1], last=not todo)
                if target is not None:
                    links += 1
                    if links > _MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
                    todo.extendleft(reversed(self._follow(target, opened)))
                elif not todo:
                    return Place(folder=opened.pop(), name=part)
                elif len(opened) >= _MAX_OPEN:
                    raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))
                else:
                    opened.append(os.open(part, FOLDER | os.O_NOFOLLOW, dir_fd=opened[-1]))
            return Place(folder=opened.pop(), name=".")
        finally:
            for descriptor in opened:
                os.close(descriptor)

    def _follow(self, target: str, opened: list[int]) -> list[str]:
        if not target.startswith("/"):
            return split(target)
        parts = below(target, self._roots)
        if parts is None:
            raise LeavesTree
        while len(opened) > 1:
            os.close(opened.pop())
        return parts


def _read_link(name: str, folder: int, *, last: bool) -> str | None:
    """Return what a link points to, None for anything else or a last name that is missing."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        if last:
            return None
        raise
    if not stat.S_ISLNK(found.st_mode):
        return None
    if _kernel.is_procfs(folder):  # these lead to another process's files, whatever they read as
        raise DeniedAccess
    return os.readlink(name, dir_fd=folder)
