"""The file system that a confined program sees, as options of bubblewrap.

A mount has a path, and deeper ones are made later, so that of two the deeper one decides.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from nanobot_tool_exec.sandbox import SYSTEM, Jail

_ROOT = Path("/")
_RUN = Path("/run")
_PROC = Path("/proc")
_MOUNTS = Path("/proc/self/mountinfo")
_TMP = Path("/tmp")  # noqa: S108 - the one that programs expect

_OF_USE_IN_RUN = ("booted-system", "current-system", "media", "opengl-driver")
"""What files there are in /run beside the sockets of services."""

_SOCKETS = (".ICE-unix/*", ".X11-unix/*", "ssh-*/agent.*", "tmux-*/*")
"""Sockets in /tmp of programs that could be made to act outside."""

_ESCAPED = re.compile(rb"\\([0-7]{3})")
"""A character of a path in proc(5) that would be taken for the end of it."""

_MASK, _BIND, _BIND_READ_ONLY = "--tmpfs", "--bind", "--ro-bind"
_Mounts = dict[Path, tuple[str, ...]]


def file_system(jail: Jail, *, temporary: int) -> list[str]:
    """Return the options that build what a jail shows.

    Args:
        temporary: Bytes that a private ``/tmp`` may hold.
    """
    mounts = _whole() if jail.everything else _programs(temporary)
    for paths, bind in ((jail.readable, _BIND_READ_ONLY), (jail.writable, _BIND)):
        mounts |= {path: (bind, str(path), str(path)) for path in _existing(paths)}
    hidden = list(_existing(jail.hidden))
    if jail.everything:
        hidden += _existing((*_process_tables(), *_sockets()))
    for path in sorted(hidden, key=_depth):
        _hide(mounts, path)
    in_order = sorted(mounts, key=_depth)
    # A program of root's could change the kernel's settings in /proc, though it has no rights.
    sealed = [_PROC, *(path for path in in_order if mounts[path][0] == _MASK)]
    if not jail.everything:
        sealed.append(_ROOT)
    return [
        *(word for path in in_order for word in mounts[path]),
        *(word for path in sealed for word in ("--remount-ro", str(path))),
    ]


def _programs(temporary: int) -> _Mounts:
    """Return what programs need, and nothing else."""
    mounts: _Mounts = {
        Path("/dev"): ("--dev", "/dev"),
        _PROC: ("--proc", "/proc"),
        _TMP: ("--perms", "1777", "--size", str(temporary), _MASK, str(_TMP)),
    }
    for path in SYSTEM:
        if path.is_symlink() and path.is_dir():  # as /bin is one to usr/bin
            mounts[path] = ("--symlink", str(path.readlink()), str(path))
        elif path.exists():
            mounts[path] = (_BIND_READ_ONLY, str(path), str(path))
    return mounts


def _whole() -> _Mounts:
    """Return the file system as it is, but for processes, devices and the sockets of services."""
    mounts: _Mounts = {
        _ROOT: (_BIND, "/", "/"),
        Path("/dev"): ("--dev", "/dev"),
        _PROC: ("--proc", "/proc"),
        _RUN: _mask(_RUN),
        Path("/sys"): (_BIND_READ_ONLY, "/sys", "/sys"),
    }
    kept = [*(_RUN / name for name in _OF_USE_IN_RUN), Path("/etc/resolv.conf")]
    mounts |= {
        path: (_BIND_READ_ONLY, str(path), str(path))
        for path in _existing(kept)
        if path.is_relative_to(_RUN)
    }
    return mounts


def _depth(path: Path) -> int:
    return len(path.parts)


def _mask(path: Path) -> tuple[str, ...]:
    if path.is_dir():
        return (_MASK, str(path))
    return (_BIND_READ_ONLY, os.devnull, str(path))


def _existing(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield where paths really lead, those that lead anywhere that this user can reach."""
    for path in paths:
        real = Path(os.path.realpath(path))
        if os.access(real, os.F_OK):
            yield real


def _process_tables() -> Iterator[Path]:
    """Yield where else the processes of the machine are shown, as in the trees of chroot(1)."""
    with _MOUNTS.open("rb") as file:
        for line in file:
            before, _, after = line.partition(b" - ")
            written = _ESCAPED.sub(lambda code: bytes([int(code[1], 8)]), before.split()[4])
            path = Path(os.fsdecode(written))
            if after.startswith(b"proc ") and not path.is_relative_to(_PROC):
                yield path


def _sockets() -> Iterator[Path]:
    for pattern in _SOCKETS:
        for path in _TMP.glob(pattern):
            if path.is_socket():
                yield path


def _hide(mounts: _Mounts, hidden: Path) -> None:
    """Mask a path, and mount the folders above it on themselves, so that none can be renamed.

    Else the next command would find what is hidden under another name.
    """
    for folder in (hidden, *hidden.parents):
        shown = next((up for up in (folder, *folder.parents) if up in mounts), None)
        if shown is None or mounts[shown][0] not in (_BIND, _BIND_READ_ONLY):
            continue  # there is nothing
        if folder == hidden:
            mounts[folder] = _mask(folder)
        elif folder not in mounts:
            mounts[folder] = (mounts[shown][0], str(folder), str(folder))
