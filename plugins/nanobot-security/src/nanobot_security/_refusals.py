"""What a model is told when a path can not be used."""

from __future__ import annotations

import errno
import os
import stat

from nanobot.errors import OutsideWorkspace, ToolError

_BOUNDARY = (
    "This is a hard policy boundary, not a fault to work around: do not try other paths, links, "
    "tools or commands to reach it. If the task needs it, ask the user."
)
_KINDS = {
    errno.ELOOP: ("bad_path", "goes through too many links, or was replaced while it was opened"),
    errno.ENAMETOOLONG: ("bad_path", "is too long or too deep"),
    errno.EINVAL: ("bad_path", "is no valid path"),
    errno.EILSEQ: ("bad_path", "holds characters that this file system does not allow"),
    errno.ENOTDIR: ("not_a_dir", "is no folder, or leads through something that is no folder"),
    errno.EISDIR: ("not_a_file", "is a folder"),
    errno.EACCES: ("denied", "may not be accessed: the system's permissions forbid it"),
    errno.EPERM: ("denied", "may not be accessed: the system's permissions forbid it"),
    errno.EROFS: ("denied", "lies on a file system that can only be read"),
    errno.EEXIST: ("exists", "exists already"),
    errno.ENOTEMPTY: ("not_empty", "is a folder that is not empty"),
    errno.ENOSPC: ("no_space", "can not be written: the disk is full"),
    errno.EDQUOT: ("no_space", "can not be written: the disk quota is used up"),
    errno.ENXIO: ("not_a_file", "is no regular file"),
}


def outside(path: str, target: str) -> OutsideWorkspace:
    """Return the refusal of a path that leaves the workspace.

    Args:
        path: As it was asked for.
        target: Where it leads, so that two names of one place count as attempts at one.
    """
    return OutsideWorkspace(f"'{path}' is outside the workspace. {_BOUNDARY}", target=target)


def hard_link(path: str, target: str) -> OutsideWorkspace:
    """Return the refusal of a file that has another name, which may lie anywhere."""
    return OutsideWorkspace(
        f"'{path}' has more than one hard link, so its content is outside the workspace or may "
        f"be. {_BOUNDARY}",
        target=target,
    )


def private(path: str, target: str) -> OutsideWorkspace:
    """Return the refusal of what belongs to nanobot or to a running process."""
    return OutsideWorkspace(
        f"'{path}' is private to nanobot or to the system, and no tool may touch it. {_BOUNDARY}",
        target=target,
    )


def bad_path(path: str, why: str) -> ToolError:
    """Return the refusal of a text that is no path; shows the start of it, made printable."""
    shown = path[:80].encode("unicode_escape").decode("ascii")
    return ToolError(f"'{shown}' {why}.", kind="bad_path", target=path[:200])


def not_a_file(path: str, mode: int) -> ToolError:
    """Return the refusal of a folder, pipe, socket or device where a file is needed."""
    what = (
        "a folder" if stat.S_ISDIR(mode) else "a link" if stat.S_ISLNK(mode) else "a special file"
    )
    return ToolError(f"'{path}' is {what}, not a regular file.", kind="not_a_file", target=path)


def not_found(path: str, near: tuple[str, ...]) -> ToolError:
    """Return the answer for a missing file, with names that look alike."""
    hint = f" Did you mean {', '.join(repr(name) for name in near)}?" if near else ""
    return ToolError(f"'{path}' was not found.{hint}", kind="not_found", target=path)


def exists(path: str) -> ToolError:
    """Return the refusal to move a file over another one."""
    return ToolError(f"'{path}' exists already.", kind="exists", target=path)


def replaced(path: str) -> ToolError:
    """Return the answer when a file does not hold still."""
    return ToolError(
        f"'{path}' was replaced again and again while it was opened; try again.",
        kind="changed",
        retryable=True,
        target=path,
    )


def no_root(root: str) -> ToolError:
    """Return the answer when the workspace itself is missing."""
    return ToolError(
        f"the workspace folder '{root}' does not exist or can not be opened; "
        "ask the user to create it or to correct agents.defaults.workspace",
        kind="no_workspace",
        target=root,
    )


def from_system(path: str, error: OSError) -> ToolError:
    """Translate a failure that the system reported."""
    kind, why = _KINDS.get(error.errno or 0, ("failed", ""))
    if not why:
        why = f"can not be used: {os.strerror(error.errno or errno.EIO)}"
    if kind == "bad_path":
        return bad_path(path, why)
    retryable = kind in ("no_space", "failed")
    return ToolError(f"'{path}' {why}.", kind=kind, retryable=retryable, target=path)
