"""Which place on disk a path may reach: inside the root, and outside the denied trees."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from nanobot_security import _kernel, _refusals
from nanobot_security._denied import (
    DeniedAccess,
    DeniedTrees,
    HardLinked,
    Identity,
    Replaced,
    check_procfs,
    identify,
)
from nanobot_security._resolve import FOLDER, LeavesTree, Place, Tree, below, split

_MAX_PATH = 4096  # bytes; what Linux accepts
_MAX_PARTS = 200
_MAX_CLIMB = 400
_MAX_HARD_LINKS = 1_000  # refused files that are remembered, so that their names count as one


@dataclass(frozen=True, kw_only=True, slots=True)
class Spot:
    """A checked place on disk.

    Args:
        path: The path as it was asked for.
        folder: Descriptor of the folder; open only within `Access.spot`.
        name: The name in it; ``.`` stands for the folder itself.
        status: What is there, None when nothing is.
        inside: True when the folder lies in the workspace.
        denied: What may not be touched, as it was at the time.
    """

    path: str
    folder: int
    name: str
    status: os.stat_result | None
    inside: bool
    denied: frozenset[Identity]

    def at(self, folder: int, name: str) -> Spot:
        """Return the spot of a name that a walk from here came to."""
        return replace(self, folder=folder, name=name, status=None)

    def require(self) -> os.stat_result:
        """Return what is there; an error when nothing is."""
        if self.status is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.status

    def require_file(self) -> None:
        """Refuse anything but a regular file, before it is opened."""
        mode = self.require().st_mode
        if not stat.S_ISREG(mode):
            raise _refusals.not_a_file(self.path, mode)


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """A folder that was made on the way to a file.

    Args:
        folder: Descriptor of the folder above it, to be closed by whoever asked for the list.
        name: Its name there.
        path: Its absolute path.
    """

    folder: int
    name: str
    path: str


MadeFolders = list[Made]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Maker:
    """What making folders needs to know: where the workspace is, and where to note them."""

    root: Identity | None
    made: MadeFolders | None


class Access:
    """Turns paths into checked places.

    Args:
        root: The workspace.
        restricted: True to refuse everything outside it.
        denied: What is refused in any case.
    """

    def __init__(self, root: Path, *, restricted: bool, denied: tuple[Path, ...]) -> None:
        self._root = str(root.expanduser().absolute())
        self._restricted = restricted
        self._private = DeniedTrees(denied)
        self._hard_links: dict[Identity, str] = {}

    def resolve(self, path: str) -> str:
        """Return where a path leads, by name; a text that is no path as it is."""
        try:
            return os.path.realpath(os.path.join(self._root, _expand(path)))  # noqa: PTH118
        except (OSError, ValueError):
            return path

    def first_name(self, file: Identity, path: str) -> str:
        """Return the name by which a file with several hard links was first asked for."""
        if len(self._hard_links) >= _MAX_HARD_LINKS:
            self._hard_links.clear()
        return self._hard_links.setdefault(file, self.resolve(path))

    @contextmanager
    def spot(
        self,
        path: str,
        *,
        create: bool = False,
        follow: bool = True,
        made: MadeFolders | None = None,
    ) -> Iterator[Spot]:
        """Resolve and check a path.

        Args:
            path: The path as a model wrote it.
            create: Make missing folders above the last name.
            follow: Follow a link at the last name.
            made: Where to note the folders that were made.

        Raises:
            LeavesTree: The path leads out of the workspace.
            DeniedAccess: The path leads into a denied tree.
            ToolError: It is no path, or the workspace is missing.
            OSError: As the system reports it.
        """
        parts = self._parts(path)
        denied = self._private.identities()
        base, root = self._open_base(path)
        try:
            roots = (self._root, os.path.realpath(self._root)) if self._restricted else ("/",)
            tree = Tree(base, roots)
            place = self._place(tree, parts, create, follow, _Maker(root=root, made=made))
        finally:
            os.close(base)
        try:
            status = self._look(place, create=create)
            here = identify(status) if status is not None else None
            if here in denied and here != root:
                raise DeniedAccess
            inside = (root is not None and here == root) or self._climb(place.folder, root, denied)
            yield Spot(
                path=path,
                folder=place.folder,
                name=place.name,
                status=status,
                inside=inside,
                denied=denied,
            )
        finally:
            os.close(place.folder)

    def admit(self, spot: Spot, descriptor: int) -> os.stat_result:
        """Check a file that was opened at a spot; return its status.

        Raises:
            ToolError: It is no regular file.
            DeniedAccess: It is private to nanobot or to a process.
            HardLinked: It has another name, which may lie anywhere.
            Replaced: It lost its name meanwhile.
        """
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise _refusals.not_a_file(spot.path, status.st_mode)
        if identify(status) in spot.denied:
            raise DeniedAccess
        check_procfs(descriptor, spot.folder, spot.name)
        self._check_links(spot, status)
        _kernel.settle(spot.folder)
        if not _kernel.kept_name(descriptor, spot.folder, spot.name):
            raise Replaced  # so the number of links says nothing
        return status

    def admit_folder(self, spot: Spot, descriptor: int) -> None:
        """Check a folder that was opened at a spot."""
        if _kernel.is_procfs(descriptor) or identify(os.fstat(descriptor)) in spot.denied:
            raise DeniedAccess

    def check_overwrite(self, spot: Spot) -> None:
        """Check that what is at a spot may be replaced."""
        spot.require_file()
        self._check_links(spot, spot.require())

    def _check_links(self, spot: Spot, status: os.stat_result) -> None:
        if self._restricted and status.st_nlink > 1:
            raise HardLinked(identify(status))
        self._private.check_links(status)

    def _parts(self, path: str) -> list[str]:
        """Return the components of a path below the base: the root, or ``/`` when unrestricted."""
        if not path.strip():
            raise _refusals.bad_path(path, "is empty")
        if "\0" in path:
            raise _refusals.bad_path(path, "holds a NUL character")
        try:
            size = len(path.encode())
        except UnicodeEncodeError:
            raise _refusals.bad_path(path, "holds half a character (a lone surrogate)") from None
        if size > _MAX_PATH:
            raise _refusals.bad_path(path, "is too long")
        parts = self._below_base(_expand(path))
        if len(parts) > _MAX_PARTS:
            raise _refusals.bad_path(path, "is too deep")
        return parts

    def _below_base(self, text: str) -> list[str]:
        absolute = text.startswith("/")
        if not self._restricted:
            return split(text) if absolute else [*split(self._root), *split(text)]
        if not absolute:
            return split(text)
        real = os.path.realpath(self._root)
        parts = below(text, (self._root, real))
        if parts is None:  # another name for a place inside? What it leads to is checked again.
            parts = below(os.path.realpath(text), (real,))
        if parts is None:
            raise LeavesTree
        return parts

    def _open_base(self, path: str) -> tuple[int, Identity | None]:
        """Open the folder that resolution starts from; return it with the root's identity."""
        try:
            if self._restricted:
                base = os.open(self._root, FOLDER)
                return base, identify(os.fstat(base))
        except OSError:
            raise _refusals.no_root(self._root) from None
        root = None
        with suppress(OSError):
            root = identify(Path(self._root).stat())
        if root is None and not path.startswith(("/", "~/")):
            raise _refusals.no_root(self._root)
        return os.open("/", FOLDER), root

    def _place(
        self, tree: Tree, parts: list[str], create: bool, follow: bool, maker: _Maker
    ) -> Place:
        try:
            return tree.place(parts, follow=follow)
        except FileNotFoundError:
            if self._restricted and _climbs_out(parts):
                raise LeavesTree from None
            if not create:
                raise
        os.close(self._make_folder(tree, parts[:-1], maker))
        return tree.place(parts, follow=follow)

    def _make_folder(self, tree: Tree, parts: list[str], maker: _Maker) -> int:
        """Open a folder, creating what is missing one step at a time."""
        try:
            return tree.directory(parts)
        except FileNotFoundError:
            if not parts:
                raise
        above = self._make_folder(tree, parts[:-1], maker)
        try:
            self._climb(above, maker.root, self._private.identities())
            self._private.check_new(above, parts[-1])
            with suppress(FileExistsError):
                os.mkdir(parts[-1], 0o755, dir_fd=above)
                if maker.made is not None:
                    path = os.path.join(self._root if self._restricted else "/", *parts)  # noqa: PTH118
                    maker.made.append(Made(folder=os.dup(above), name=parts[-1], path=path))
        finally:
            os.close(above)
        return tree.directory(parts)

    def _climb(self, folder: int, root: Identity | None, denied: frozenset[Identity]) -> bool:
        """Go up from a folder to the root or to the top; tell whether the root was met.

        The way up is taken from the open folder, so no name and no link can hide where it lies.
        """
        above = "."
        here = identify(os.fstat(folder))
        for _ in range(_MAX_CLIMB):
            if here == root:
                return True
            if here in denied:
                raise DeniedAccess
            above += "/.."
            up = identify(os.stat(above, dir_fd=folder))
            if up == here:
                break
            here = up
        if self._restricted:
            raise LeavesTree
        return False

    def _look(self, place: Place, *, create: bool) -> os.stat_result | None:
        try:
            return os.stat(place.name, dir_fd=place.folder, follow_symlinks=False)
        except FileNotFoundError:
            if create:
                self._private.check_new(place.folder, place.name)
            return None


def _expand(path: str) -> str:
    home = path == "~" or path.startswith("~/")
    return os.path.expanduser(path) if home else path  # noqa: PTH111 - keeps ".." as it is


def _climbs_out(parts: list[str]) -> bool:
    """Tell whether the text alone already leads above its start."""
    depth = 0
    for part in parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False
