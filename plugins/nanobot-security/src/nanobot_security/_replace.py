"""Changing folders in one step, through their descriptors."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


def replace_file(
    folder: int, name: str, data: bytes, old: os.stat_result | None, mode: int | None = None
) -> None:
    """Write a file beside the name and rename it over it: readers see the old or the new.

    A link that took the name's place meanwhile is replaced, not followed; see `stage_file`.
    """
    temporary = stage_file(folder, data, old, mode)
    try:
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise


def stage_file(folder: int, data: bytes, old: os.stat_result | None, mode: int | None) -> str:
    """Write a file under a temporary name and return that name; nothing stays when it fails.

    Args:
        folder: Descriptor of the folder.
        data: The whole content.
        old: Status of the file that is replaced; its mode and, where allowed, owner are kept.
        mode: Permissions in place of the old or usual ones.
    """
    temporary = temporary_name()
    descriptor = os.open(temporary, _CREATE, 0o644 if old is None else 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if old is not None:
                _keep_owner_and_mode(descriptor, old)
            if mode is not None:
                os.fchmod(descriptor, mode & 0o777)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise
    return temporary


def temporary_name() -> str:
    """Return a name that nobody else uses."""
    return f".nanobot-{secrets.token_hex(8)}.tmp"


def keep_under(folder: int, name: str, kept: str) -> None:
    """Give what a name leads to a second name, so that it can be put back.

    Where there are no hard links the first name is gone until it is used again.
    """
    try:
        os.link(name, kept, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.rename(name, kept, src_dir_fd=folder, dst_dir_fd=folder)


def _keep_owner_and_mode(descriptor: int, old: os.stat_result) -> None:
    new = os.fstat(descriptor)
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        with suppress(PermissionError):
            os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, stat.S_IMODE(old.st_mode) & 0o777)  # set-id bits end with the old content


def move_file(folder: int, name: str, to_folder: int, to_name: str) -> None:
    """Move a file to a name that is free; never replaces one that appeared meanwhile."""
    try:
        os.link(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_HARD_LINKS:
            raise
        os.rename(name, to_name, src_dir_fd=folder, dst_dir_fd=to_folder)
        return
    os.unlink(name, dir_fd=folder)
