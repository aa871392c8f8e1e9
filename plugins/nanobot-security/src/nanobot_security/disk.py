"""The disk guard: every file that a tool touches is opened here."""

from __future__ import annotations

import difflib
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from nanobot.errors import ToolError
from nanobot.messages import Workspace

from nanobot_security import _refusals
from nanobot_security._access import Access, MadeFolders, Spot
from nanobot_security._batch import Batch
from nanobot_security._denied import DeniedAccess, HardLinked, Replaced
from nanobot_security._records import Entry, Opened, Stat, entry_of, stat_of
from nanobot_security._replace import move_file, replace_file
from nanobot_security._resolve import LeavesTree
from nanobot_security._walk import READ, names_in, walk_tree

_ATTEMPTS = 3  # at opening a file that others replace at the same time
_NEAR_NAMES = 5_000  # folders with more names are not searched for similar ones


class Disk:
    """Guarded access to files.

    A path is text as a model writes it: relative to the root, absolute, or with ``~``. Nothing is
    opened by its path: every step goes through descriptors, so that a path that was checked is the
    path that is used. All methods block; call them in a thread. One object may be used by several
    threads at once.

    Inside the root, links are followed as long as they stay inside, and a regular file with a
    second hard link is refused when restricted, because its other name may lie anywhere.

    Args:
        root: The folder that relative paths start from.
        restricted: True to refuse everything outside the root.
        denied: Folders and files that are refused even when unrestricted: the instance's own data
            and transcripts. The root may lie in a denied folder; it is usable all the same.
        readable: Folders whose files may be read, and nothing else, wherever they lie. What is in
            them comes from outside: it is never `Opened.inside`.
    """

    def __init__(
        self,
        root: Path,
        *,
        restricted: bool = True,
        denied: tuple[Path, ...] = (),
        readable: tuple[Path, ...] = (),
    ) -> None:
        self.root = root
        self.restricted = restricted
        self.denied = denied
        self._access = Access(root, restricted=restricted, denied=denied)
        self._readable = {f"{folder.absolute()}/": Disk(folder) for folder in readable}

    @staticmethod
    def of(workspace: Workspace) -> Disk:
        """Return the guard of a turn's workspace, as in ``Disk.of(turn.workspace)``."""
        return _disk_of(workspace)

    def open(self, path: str) -> Opened:
        """Open a regular file for reading, with what is known of exactly this file.

        Raises:
            OutsideWorkspace: The path leaves what may be touched, or is denied.
            ToolError: kind ``not_found``, ``not_a_file``, ``not_a_dir``, ``bad_path``, or
                ``denied`` when the system's permissions forbid it.
        """
        other = self._reader(path)
        if other:
            return replace(other.open(path), inside=False)
        for _ in range(_ATTEMPTS):
            with self._at(path) as spot, suppress(Replaced):
                spot.require_file()
                descriptor = os.open(spot.name, READ, dir_fd=spot.folder)
                try:
                    status = self._access.admit(spot, descriptor)
                    file = os.fdopen(descriptor, "rb")
                except BaseException:
                    os.close(descriptor)
                    raise
                return Opened(file=file, stat=stat_of(status), inside=spot.inside)
        raise _refusals.replaced(path)

    def open_read(self, path: str) -> BinaryIO:
        """Open a regular file for reading; see `open` for the errors."""
        return self.open(path).file

    def stat(self, path: str, *, follow: bool = True) -> Stat:
        """Look at a file or folder without opening it; a link is followed if it stays inside."""
        other = self._reader(path)
        if other:
            return other.stat(path, follow=follow)
        with self._at(path, follow=follow) as spot:
            return stat_of(spot.require())

    def resolve(self, path: str) -> str:
        """Return the absolute path that a path leads to, whatever its spelling and links.

        A name for people and for comparing; what is opened goes through the guard again. A text
        that is no path is returned as it is.
        """
        return self._access.resolve(path)

    def is_inside(self, path: str) -> bool:
        """Tell whether a path leads to something in the workspace; false when nothing is there.

        For marking names found outside as untrusted. For content ask `Opened.inside`, which speaks
        of the very file that was opened.
        """
        try:
            with self._at(path) as spot:
                return spot.inside and spot.status is not None
        except ToolError:
            return False

    def write(self, path: str, data: bytes, *, mode: int | None = None) -> None:
        """Create or replace a file in one step, with missing folders.

        Args:
            path: The file.
            data: The whole new content.
            mode: Permissions; None keeps those of the old file.
        """
        with self._at(path, create=True) as spot:
            if path.endswith("/"):
                raise _refusals.bad_path(path, "ends with a slash, so it names no file")
            if spot.status is not None:
                self._access.check_overwrite(spot)
            replace_file(spot.folder, spot.name, data, spot.status, mode)

    def batch(self) -> Batch:
        """Return a set of changes that happen together or not at all."""
        return Batch(
            lambda path, create, follow, made: self._at(
                path, create=create, follow=follow, made=made
            ),
            self._access.check_overwrite,
        )

    def remove(self, path: str) -> None:
        """Delete a regular file, or a link but not what it points to."""
        with self._at(path, follow=False) as spot:
            if not stat.S_ISLNK(spot.require().st_mode):
                spot.require_file()
            os.unlink(spot.name, dir_fd=spot.folder)

    def remove_folder(self, path: str) -> None:
        """Delete an empty folder."""
        with self._at(path, follow=False) as spot:
            spot.require()
            os.rmdir(spot.name, dir_fd=spot.folder)

    def rename(self, source: str, destination: str) -> None:
        """Move a regular file; the destination must not exist."""
        with self._at(source, follow=False) as old:
            old.require_file()
            with self._at(destination, create=True, follow=False) as new:
                if new.status is not None:
                    raise _refusals.exists(destination)
                move_file(old.folder, old.name, new.folder, new.name)

    def list(self, path: str) -> tuple[Entry, ...]:
        """List a folder, sorted by name; what is denied does not show."""
        with self._folder(path) as (spot, descriptor):
            return tuple(
                entry_of(name, status) for name, status in names_in(descriptor, spot.denied)
            )

    def walk(
        self,
        path: str,
        *,
        contents: bool = True,
        prune: Callable[[Entry], bool] | None = None,
    ) -> Iterator[tuple[Entry, BinaryIO | None]]:
        """Walk a folder tree in sorted order without following links.

        Args:
            path: The folder.
            contents: True to open every regular file. It is closed when the walk goes on, and is
                None for a file that may not be read. False yields None throughout.
            prune: Called with every entry; true leaves it out, a folder with all that is in it.

        Yields:
            An entry, its path relative to the folder, and its open file.
        """
        with self._folder(path) as (spot, top):
            yield from walk_tree(
                top,
                admit=lambda descriptor, folder, name: self._access.admit(
                    spot.at(folder, name), descriptor
                ),
                denied=spot.denied,
                contents=contents,
                prune=prune,
            )

    @contextmanager
    def folder(self, path: str) -> Iterator[int]:
        """Open a folder; yield its descriptor, for a program that is to work in it.

        The program is on its own in there: it must not be told to follow links, and what it says
        of the content of files is not to be shown unless the guard opens them too.
        """
        with self._folder(path) as (_, descriptor):
            yield descriptor

    def _reader(self, path: str) -> Disk | None:
        """Return the guard of the readable folder that a path names a file in."""
        for folder, disk in self._readable.items():
            if os.path.normpath(path).startswith(folder):
                return disk
        return None

    @contextmanager
    def _folder(self, path: str) -> Iterator[tuple[Spot, int]]:
        with self._at(path) as spot:
            spot.require()
            flags = READ | os.O_DIRECTORY
            descriptor = os.open(spot.name, flags, dir_fd=spot.folder)
            try:
                self._access.admit_folder(spot, descriptor)
                yield spot, descriptor
            finally:
                os.close(descriptor)

    @contextmanager
    def _at(
        self,
        path: str,
        *,
        create: bool = False,
        follow: bool = True,
        made: MadeFolders | None = None,
    ) -> Iterator[Spot]:
        """Open the folder that a path leads to; translate what goes wrong while it is used."""
        try:
            with self._access.spot(path, create=create, follow=follow, made=made) as spot:
                yield spot
        except LeavesTree:
            raise _refusals.outside(path, self.resolve(path)) from None
        except HardLinked as error:
            target = self._access.first_name(error.file, path)
            raise _refusals.hard_link(path, target) from None
        except DeniedAccess:
            raise _refusals.private(path, self.resolve(path)) from None
        except FileNotFoundError:
            raise _refusals.not_found(path, self._near(path)) from None
        except OSError as error:
            raise _refusals.from_system(path, error) from None

    def _near(self, path: str) -> tuple[str, ...]:
        """Find names that look like the one that is missing, in the folder where it is missing."""
        folder, name = os.path.split(path.rstrip("/"))
        names = []
        with (
            suppress(LeavesTree, DeniedAccess, OSError, ToolError),
            self._access.spot(folder or ".") as spot,
        ):
            descriptor = os.open(spot.name, READ | os.O_DIRECTORY, dir_fd=spot.folder)
            try:
                self._access.admit_folder(spot, descriptor)
                names = [found for found, _ in names_in(descriptor, spot.denied)]
            finally:
                os.close(descriptor)
        if len(names) > _NEAR_NAMES:
            return ()
        lower = {found.casefold(): found for found in names}
        near = difflib.get_close_matches(name.casefold(), lower, n=3, cutoff=0.6)
        return tuple(f"{folder}/{lower[found]}" if folder else lower[found] for found in near)


@lru_cache(maxsize=64)
def _disk_of(workspace: Workspace) -> Disk:
    """Make one guard for all calls of the turns in a workspace."""
    return Disk(
        workspace.root,
        restricted=workspace.restricted,
        denied=workspace.denied,
        readable=workspace.readable,
    )
