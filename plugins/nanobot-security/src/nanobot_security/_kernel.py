"""The Linux calls that Python lacks: ``openat2``, ``renameat2`` and ``fstatfs``."""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path

_NR_OPENAT2 = 437  # the same on every architecture that has it
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_BENEATH = 0x08
_RENAME_EXCHANGE = 2
_PROC_SUPER_MAGIC = 0x9FA0
_STATFS_BYTES = 256  # larger than any struct statfs; f_type is its first word

_libc = ctypes.CDLL(None, use_errno=True)


class _OpenHow(ctypes.Structure):
    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


def _openat2(directory: int, path: bytes, flags: int, resolve: int) -> int:
    how = _OpenHow(flags | os.O_CLOEXEC, 0, resolve)
    while True:
        opened = _libc.syscall(
            ctypes.c_long(_NR_OPENAT2),
            ctypes.c_int(directory),
            ctypes.c_char_p(path),
            ctypes.byref(how),
            ctypes.c_size_t(ctypes.sizeof(how)),
        )
        if opened >= 0:
            return int(opened)
        code = ctypes.get_errno()
        if code != errno.EINTR:
            raise OSError(code, os.strerror(code))


@cache
def has_openat2() -> bool:
    """Tell whether the kernel, and its system-call filter, let us use ``openat2``."""
    if sys.platform != "linux" or platform.machine() not in ("x86_64", "aarch64"):
        return False
    root = os.open("/", os.O_PATH)
    try:
        os.close(open_beneath(root, ".", os.O_PATH))
    except OSError:
        return False
    finally:
        os.close(root)
    return True


def open_beneath(directory: int, path: str, flags: int) -> int:
    """Open a relative path that may not leave a folder, in one atomic step of the kernel.

    Args:
        directory: Descriptor of the folder.
        path: Relative path; links in it may not lead out, nor be absolute.
        flags: As for `os.open`.

    Raises:
        OSError: EXDEV when the path leaves the folder, else as for `os.open`.
    """
    resolve = _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS
    return _openat2(directory, os.fsencode(path), flags, resolve)


def exchange(folder: int, one: str, other: str) -> bool:
    """Swap two files of a folder in one step; false where that can not be done.

    Raises:
        OSError: One of them is missing, or the system refuses.
    """
    swap = getattr(_libc, "renameat2", None)
    if swap is None:
        return False
    names = os.fsencode(one), os.fsencode(other)
    if swap(folder, names[0], folder, names[1], ctypes.c_uint(_RENAME_EXCHANGE)) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EOPNOTSUPP):
        return False
    raise OSError(code, os.strerror(code))


def is_procfs(descriptor: int) -> bool:
    """Tell whether a descriptor lies on Linux's process file system, wherever it is mounted."""
    if sys.platform != "linux":
        return False
    buffer = ctypes.create_string_buffer(_STATFS_BYTES)
    if _libc.fstatfs(ctypes.c_int(descriptor), buffer) != 0:
        return False
    return ctypes.c_long.from_buffer(buffer).value == _PROC_SUPER_MAGIC


def settle(folder: int) -> None:
    """Wait until the removal of a name that is under way in a folder is complete.

    Linux lowers a file's link count first and marks the removed name after; a look in between sees
    one of our own files under a name that it kept. Both happen under the folder's lock, which
    reading the folder takes too.
    """
    with suppress(OSError):
        listing = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=folder)
        try:
            with os.scandir(listing) as entries:
                next(entries, None)
        finally:
            os.close(listing)


def kept_name(descriptor: int, folder: int, name: str) -> bool:
    """Tell whether an open file kept its name from its opening until now.

    A file that had a second name and lost ours looks, by its link count, like one of our own.
    Linux marks the very name that a file was opened by when it is taken away, and never takes the
    mark back; elsewhere all that can be asked is whether the name leads to the same file now.
    """
    try:
        return Path(f"/proc/self/fd/{descriptor}").readlink().name == name
    except FileNotFoundError:
        try:
            now = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError:
            return False
        return os.path.samestat(os.fstat(descriptor), now)
    except OSError:
        return False
