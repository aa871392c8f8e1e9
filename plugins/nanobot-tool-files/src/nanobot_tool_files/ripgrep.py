"""Lets ripgrep, where it is installed, name the files that are worth a look.

It reads below an open folder and names files; what they hold is read again through the guard, so
nothing that the guard refuses is ever shown. Patterns are RE2's; one that ripgrep's engine might
take differently is left to the slower way.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from nanobot_security import Disk

from nanobot_tool_files.walking import IGNORED, Limits, Stop, check

_OPTIONS = (
    *("--no-config", "--no-messages", "--no-ignore", "--hidden", "--text"),
    *("--encoding=none", "--max-filesize=100M", "--files-with-matches", "--null", "--color=never"),
)
_LOOK_S = 0.1
_SHARE = 0.8  # of the time; the rest is for reading what was named
_CLASSES = {"w": "0-9A-Za-z_", "d": "0-9", "s": r"\t\n\f\r "}


def find_ripgrep() -> str:
    """Return the program, empty when there is none or its folder could not be handed over."""
    found = shutil.which("rg") if sys.platform == "linux" else None
    return found if found and Path(found).is_absolute() else ""


def translate(pattern: str) -> str | None:
    """Return an RE2 pattern for ripgrep; None when it might miss something.

    RE2's classes and word boundaries are of ASCII, ripgrep's of Unicode, so they are written out.
    """
    if re.search(r"\(\?(?!:|i\))|\[\^?\]", pattern):
        return None  # flags, and classes that begin with a bracket
    out: list[str] = []
    in_class = False
    signs = iter(pattern)
    for sign in signs:
        if sign == "\\":
            written = _escape(next(signs, ""), in_class=in_class)
            if written is None:
                return None
            out.append(written)
            continue
        if in_class and (sign == "[" or (sign in "&~-" and out[-1] == sign)):
            return None  # named classes, and what only ripgrep takes for operations on sets
        # A line may end with CRLF, which ripgrep would count to the line.
        out.append(r"(?:\r?$)" if sign == "$" and not in_class else sign)
        in_class = sign != "]" if in_class else sign == "["
    return "".join(out)


def _escape(sign: str, *, in_class: bool) -> str | None:
    """Return what a sign behind a backslash means, None when the two may differ on it."""
    if sign in _CLASSES:
        return _CLASSES[sign] if in_class else f"[{_CLASSES[sign]}]"
    if sign in ("D", "S") and not in_class:
        return f"[^{_CLASSES[sign.lower()]}]"
    if sign in ("b", "B") and not in_class:
        return rf"(?-u:\{sign})"
    if sign in ("t", "n", "r", "f", "v"):
        return f"\\{sign}"
    if sign.isascii() and sign.isprintable() and not sign.isalnum() and sign:
        return rf"\x{ord(sign):02x}"
    return None


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidates:
    """Files that seem to match, in the order of a walk; late when time ran out before the end."""

    paths: list[str]
    late: bool


class Ripgrep:
    """Runs one search.

    Args:
        program: Path of ripgrep.
        limits: What to leave out, and how long it may take.
        stop: Tells whether the call was cancelled.
    """

    def __init__(self, program: str, limits: Limits, stop: Stop) -> None:
        self._program = program
        self._limits = limits
        self._stop = stop

    def files(
        self, disk: Disk, folder: str, pattern: str, options: list[str], endings: tuple[str, ...]
    ) -> Candidates | None:
        """Return the files that seem to match; None to do without.

        Args:
            disk: Where.
            folder: A folder in the workspace.
            pattern: In ripgrep's syntax, or plain text with the fitting option.
            options: More options.
            endings: Endings that the files' names must have; empty for any.
        """
        end = monotonic() + self._limits.seconds * _SHARE
        globs = [f"--iglob=*{ending}" for ending in endings]
        globs += [f"--glob=!{_plain(name)}/" for name in (*IGNORED, *self._limits.ignore)]
        globs += ["--glob=!*.egg-info/", *(f"--glob=!/{path}" for path in _denied(disk, folder))]
        arguments = [self._program, *_OPTIONS, *options, *globs, "-e", pattern, "./"]
        with disk.folder(folder) as descriptor:
            try:
                process = _start(arguments, descriptor)
            except (OSError, ValueError):  # it is gone, or the pattern holds a NUL
                return None
            out, complaint = self._wait(process, end)
        if process.returncode == 2 and complaint:
            return None
        try:
            paths = [path.removeprefix("./") for path in out.decode().split("\0")[:-1]]
        except UnicodeDecodeError:  # only a walk can open such a name
            return None
        paths.sort(key=lambda path: path.split("/"))
        return Candidates(paths=paths, late=monotonic() > end)

    def _wait(self, process: subprocess.Popen[bytes], end: float) -> tuple[bytes, bytes]:
        with process:
            try:
                while True:
                    try:
                        return process.communicate(timeout=_LOOK_S)
                    except subprocess.TimeoutExpired:
                        check(self._stop)
                        if monotonic() > end:
                            process.kill()
            finally:
                process.kill()


def _start(arguments: list[str], folder: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        arguments,
        cwd=f"/proc/self/fd/{folder}",
        env={},
        pass_fds=(folder,),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _denied(disk: Disk, folder: str) -> Iterator[str]:
    """Name what is refused below a folder, as ripgrep's globs."""
    top = disk.resolve(folder)
    for path in disk.denied:
        below = os.path.relpath(os.path.realpath(path), top)
        if below != "." and not below.startswith(".."):
            yield _plain(below)


def _plain(path: str) -> str:
    """Take the meaning from the signs of a glob."""
    return re.sub(r"[\\*?\[\]{}!]", r"\\\g<0>", path)
