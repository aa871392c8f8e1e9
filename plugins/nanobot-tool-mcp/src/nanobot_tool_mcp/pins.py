"""What the owner has approved of a server: its list at first sight, and later changes by hand."""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nanobot.paths import private_dir, write_private

from nanobot_tool_mcp.catalog import Item
from nanobot_tool_mcp.config import ServerConfig

_VERSION = 1
_FOREIGN = re.compile(r"[^A-Za-z0-9._-]")


def file_name(server: str) -> str:
    """Return a file name that is the server's alone."""
    digest = hashlib.sha256(server.encode(errors="replace")).hexdigest()[:8]
    return f"{_FOREIGN.sub('_', server)[:60]}-{digest}.json"


def identity(config: ServerConfig) -> str:
    """Return a hash of which server this is: a changed command or address is another server."""
    facts = [config.kind, config.command, config.args, config.cwd, config.url]
    return hashlib.sha256(json.dumps(facts).encode(errors="replace")).hexdigest()


def digest(item: Item) -> str:
    """Return the hash that stands for one item."""
    text = json.dumps(item.to_json(), sort_keys=True, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """Something that a server lists and the owner has not approved."""

    item: Item
    new: bool

    def __str__(self) -> str:
        return f"{'new' if self.new else 'changed'} {self.item.kind} {self.item.name}"


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """What the file says.

    Args:
        stamp: Differs whenever the file does.
        known: There was a first sight.
        offered: What is approved and, as far as is known, still what the server lists.
        changes: What the server lists and waits for approval.
    """

    stamp: object = None
    known: bool = False
    approved: Mapping[str, Item] = field(default_factory=dict)
    seen: Mapping[str, Item] = field(default_factory=dict)
    offered: tuple[Item, ...] = ()
    changes: tuple[Change, ...] = ()


class Pins:
    """The pins of one server, kept in a file that other processes may change.

    A file that can not be read approves nothing: everything asks again.

    Args:
        auto: Take every list as approved.
    """

    def __init__(self, folder: Path, server: str, identity: str, *, auto: bool = False) -> None:
        self._path = folder / file_name(server)
        self._identity = identity
        self._auto = auto
        self._state = _State()

    @property
    def known(self) -> bool:
        """Tell whether there was a first sight."""
        return self._read().known

    @property
    def version(self) -> object:
        """Return what differs whenever the pins do."""
        return self._read().stamp

    def offered(self) -> Sequence[Item]:
        """Return what is approved and, as far as is known, still what the server lists."""
        return self._read().offered

    def approved(self) -> Sequence[Item]:
        """Return what the owner has approved, listed or not."""
        return tuple(self._read().approved.values())

    def changes(self) -> Sequence[Change]:
        """Return what the server lists and waits for approval."""
        return self._read().changes

    def record(self, items: Sequence[Item]) -> None:
        """Note what the server lists; the first list that is not empty is approved."""
        seen = {item.key: item for item in items}
        with self._locked():
            state = self._read()
            approved = seen if self._auto or (not state.known and seen) else state.approved
            if not state.known and not seen:
                return
            if dict(state.seen) != seen or dict(state.approved) != dict(approved):
                self._write(approved, seen)

    def approve(self, changes: Sequence[Change]) -> None:
        """Approve the given changes, and nothing that came since."""
        with self._locked():
            state = self._read()
            approved = {**state.approved, **{one.item.key: one.item for one in changes}}
            self._write(approved, state.seen)

    # --- the file -------------------------------------------------------------------------------

    def _read(self) -> _State:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            self._state = _State()
            return self._state
        stamp = (stat.st_mtime_ns, stat.st_ino)
        state = self._state
        if state.stamp != stamp:
            state = self._state = self._load(stamp)
        return state

    def _load(self, stamp: object) -> _State:
        try:
            data = json.loads(self._path.read_bytes())
            if data["version"] != _VERSION:
                raise ValueError("another version")
            if data["server"] != self._identity:
                return _State(stamp=stamp)
            approved, seen = _items(data["approved"]), _items(data["seen"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _State(stamp=stamp, known=True)
        same = {
            key: item
            for key, item in seen.items()
            if key in approved and digest(approved[key]) == digest(item)
        }
        return _State(
            stamp=stamp,
            known=True,
            approved=approved,
            seen=seen,
            offered=tuple(same.values()),
            changes=tuple(
                Change(item=item, new=key not in approved)
                for key, item in seen.items()
                if key not in same
            ),
        )

    def _write(self, approved: Mapping[str, Item], seen: Mapping[str, Item]) -> None:
        data = {
            "version": _VERSION,
            "server": self._identity,
            "approved": [item.to_json() for item in approved.values()],
            "seen": [item.to_json() for item in seen.values()],
        }
        write_private(self._path, json.dumps(data, indent=1).encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        private_dir(self._path.parent)
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _items(data: Sequence[Mapping[str, Any]]) -> dict[str, Item]:
    items = [Item.from_json(one) for one in data]
    return {item.key: item for item in items}
