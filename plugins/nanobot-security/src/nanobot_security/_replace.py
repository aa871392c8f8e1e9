"""Changing folders in one step, through their descriptors."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress

_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NO_HARD_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS)


def replace_file(folder: int, name: str, data: bytes, old: os.stat_result | None) -> None:
    """Write a file beside the name and rename it over it: readers see the old or the new.

    Args:
        folder: Descriptor of the folder.
        name: Name of the file; a link that took its place meanwhile is replaced, not followed.
        data: The whole new content.
        old: Status of the file that is replaced; its mode and, where allowed, owner are kept.
    """
    temporary = f".nanobot-{secrets.token_hex(8)}.tmp"
    descriptor = os.open(temporary, _CREATE, 0o644 if old is None else 0o600, dir_fd=folder)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if old is not None:
                _keep_owner_and_mode(descriptor, old)
        os.rename(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)
        raise


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
