"""Modules that come from nowhere, and hosts of them."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
from nanobot._plugins.catalog import Entry
from nanobot._plugins.host import Host
from nanobot._plugins.status import State, Status
from nanobot.hookspecs import hookimpl


@pytest.fixture
def module() -> Iterator[Callable[..., str]]:
    """Return a function that makes a module with hooks; returns the module's name."""
    made: list[str] = []

    def make(*, name: str = "", **names: Any) -> str:
        found = ModuleType(name or f"nanobot_made_{uuid.uuid4().hex}")
        for key, value in names.items():
            if key.startswith("nanobot_"):
                value.__name__ = key
                value = hookimpl(value)
            setattr(found, key, value)
        sys.modules[found.__name__] = found
        made.append(found.__name__)
        return found.__name__

    yield make
    for name in made:
        sys.modules.pop(name, None)


def entry(id: str, value: str, **fields: Any) -> Entry:
    """Return the entry of a plugin."""
    kind, _, name = id.partition(".")
    fields.setdefault("distribution", f"nanobot-{name}")
    fields.setdefault("version", "1.0")
    return Entry(kind=kind, name=name, value=value, **fields)


@pytest.fixture(name="entry")
def _entry() -> Callable[..., Entry]:
    return entry


@pytest.fixture
def host() -> Callable[..., Host]:
    """Return a function that makes a host of entries, given as id and module, and loads kinds."""

    def make(*entries: Entry | tuple[str, str], load: tuple[str, ...] = ()) -> Host:
        made = [found if isinstance(found, Entry) else entry(*found) for found in entries]
        host = Host([Status(entry=one, state=State.AVAILABLE) for one in made])
        for kind in load or tuple(dict.fromkeys(one.kind for one in made)):
            host.load(kind)
        return host

    return make


@pytest.fixture
def state() -> Callable[[Host, str], tuple[str, str]]:
    """Return a function that tells the state of a plugin, and why."""

    def tell(host: Host, id: str) -> tuple[str, str]:
        (status,) = [found for found in host.statuses() if found.entry.id == id]
        return str(status.state), status.reason

    return tell
