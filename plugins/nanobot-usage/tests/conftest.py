"""A laboratory with the ledger, and ways to make and read entries."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot.messages import BilledTokens, ContextTokens
from nanobot_testing.lab import FakeClock, Lab
from nanobot_usage.journal import FOLDER, Call, Entry, Tail


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Write to the standard error that the test sees, not to that of one before."""
    log.configure()
    yield
    log.configure()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Any]:
    """Return a laboratory with the ledger in it."""
    made = Lab(tmp_path)
    made.standard.add("nanobot-usage")
    yield made
    sys.modules.pop(made.module.__name__, None)


@pytest.fixture
def folder(lab: Any) -> Path:
    """Return where the laboratory's journal is."""
    return Path(lab.instance.plugin_data(FOLDER))


@pytest.fixture
def read() -> Callable[..., list[Entry]]:
    """Return a function that reads a journal from its first entry on."""

    def entries(folder: Path, since: float = 1_000_000_000) -> list[Entry]:
        return list(Tail(folder, since, FakeClock()).read())

    return entries


@pytest.fixture
def make_call() -> Callable[..., Call]:
    """Return a function that makes a call of 10 tokens in and 2 out."""

    def call(**fields: Any) -> Call:
        at = int(FakeClock().now().timestamp())
        made: dict[str, Any] = {
            "at": at,
            "turn": "0123456789ab",
            "session": "cli:direct",
            "user": "cli:alice",
            "origin": "user",
            "model": "m-1",
            "billed": BilledTokens(input=10, output=2),
            "context": ContextTokens(12),
            "segments": {"system.identity": 4, "message": 6},
        }
        return Call(**{**made, **fields})

    return call
