"""Several changes to files that happen together or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from types import TracebackType

from nanobot_security import _kernel, _refusals
from nanobot_security._access import MadeFolders, Spot
from nanobot_security._replace import keep_under, stage_file, temporary_name

At = Callable[[str, bool, bool, MadeFolders], AbstractContextManager[Spot]]
"""Open the folder of a path: (path, create, follow, made) -> the spot."""


@dataclass(kw_only=True, slots=True)
class _Step:
    """One file that is replaced or removed.

    Args:
        path: As it was asked for.
        folder: Descriptor of its folder, closed with the batch.
        name: Its name there.
        old: What was there when the step was prepared, None for nothing.
        new: Temporary name of the new content, empty to remove the file.
        kept: Temporary name of the old content while the batch is carried out.
    """

    path: str
    folder: int
    name: str
    old: os.stat_result | None
    new: str
    kept: str = ""

    def apply(self) -> None:
        if _signature(self._now()) != _signature(self.old):
            raise _refusals.replaced(self.path)
        if self.old is None:
            self._rename(self.new, self.name)
            self.new = ""
        elif not self.new:
            kept = temporary_name()
            self._rename(self.name, kept)
            self.kept = kept
        elif _kernel.exchange(self.folder, self.new, self.name):
            self.kept, self.new = self.new, ""
        else:
            kept = temporary_name()
            keep_under(self.folder, self.name, kept)
            self.kept = kept
            self._rename(self.new, self.name)
            self.new = ""

    def revert(self) -> None:
        try:
            if self.kept:
                self._rename(self.kept, self.name)
            elif self.old is None and not self.new:
                os.unlink(self.name, dir_fd=self.folder)
        except OSError:
            self.kept = ""  # better left behind under its temporary name than lost

    def _rename(self, name: str, to: str) -> None:
        os.rename(name, to, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def clear(self) -> None:
        """Leave no temporary name behind."""
        for name in filter(None, (self.new, self.kept)):
            with suppress(OSError):
                os.unlink(name, dir_fd=self.folder)
        os.close(self.folder)

    def _now(self) -> os.stat_result | None:
        try:
            return os.stat(self.name, dir_fd=self.folder, follow_symlinks=False)
        except FileNotFoundError:
            return None


class Batch:
    """Changes that are prepared one by one and carried out by `commit`, all or none.

    The new contents are on the disk before the first file changes, so a disk that fills up changes
    nothing; and what was replaced is put back by renaming, which needs no space. Use it as a
    context manager: leaving it without `commit` takes everything back.

    Args:
        at: Opens the folder of a path.
        check_overwrite: Checks that what is at a spot may be replaced.
    """

    def __init__(self, at: At, check_overwrite: Callable[[Spot], None]) -> None:
        self._at = at
        self._check_overwrite = check_overwrite
        self._steps: list[_Step] = []
        self._made: MadeFolders = []
        self._committed = False

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> tuple[str, ...]:
        """Prepare a file with a new content; return the folders that had to be made for it.

        Args:
            path: The file; may be missing.
            data: The whole new content.
            mode: Permissions; None keeps those of the old file.
        """
        before = len(self._made)
        with self._at(path, True, True, self._made) as spot:
            if path.endswith("/"):
                raise _refusals.bad_path(path, "ends with a slash, so it names no file")
            if spot.status is not None:
                self._check_overwrite(spot)
            self._add(spot, stage_file(spot.folder, data, spot.status, mode))
        return tuple(made.path for made in self._made[before:])

    def remove(self, path: str) -> None:
        """Prepare the removal of a regular file."""
        with self._at(path, False, False, self._made) as spot:
            self._check_overwrite(spot)
            self._add(spot, "")

    def _add(self, spot: Spot, new: str) -> None:
        self._steps.append(
            _Step(
                path=spot.path,
                folder=os.dup(spot.folder),
                name=spot.name,
                old=spot.status,
                new=new,
            )
        )

    def commit(self) -> None:
        """Carry out all changes; when one fails, put everything back and raise its error."""
        done: list[_Step] = []
        try:
            for step in self._steps:
                done.append(step)
                step.apply()
        except BaseException as error:
            for step in reversed(done):
                step.revert()
            if isinstance(error, OSError):
                raise _refusals.from_system(done[-1].path, error) from None
            raise
        self._committed = True

    def __enter__(self) -> Batch:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for step in self._steps:
            step.clear()
        for made in reversed(self._made):
            if not self._committed:
                with suppress(OSError):
                    os.rmdir(made.name, dir_fd=made.folder)
            os.close(made.folder)


def _signature(status: os.stat_result | None) -> tuple[int, ...] | None:
    """Return what changes with a file's content."""
    if status is None:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns
