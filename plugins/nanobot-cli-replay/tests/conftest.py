"""Sessions made in a laboratory, and a way to run them again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from nanobot import log
from nanobot.admin import load
from nanobot_cli_replay.recording import Recording, find, read
from nanobot_cli_replay.replaying import Outcome, replay
from nanobot_testing import run
from nanobot_testing.lab import Lab


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Write to the standard error that the test sees, not to that of one before."""
    log.configure()
    yield
    log.configure()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Any]:
    """Return a laboratory, which records sessions."""
    made = Lab(tmp_path)
    yield made
    sys.modules.pop(made.module.__name__, None)


@pytest.fixture
def recording(lab: Any) -> Callable[[], Recording]:
    """Return a function that reads the laboratory's only session."""
    return lambda: read(*find(lab.instance.sessions, str(lab.transcript())))


@pytest.fixture
def again(lab: Any, recording: Callable[[], Recording]) -> Callable[..., Outcome]:
    """Return a function that runs the session again; the real one is not touched."""

    def go(turn: int | None = None, config: Any = None, **options: Any) -> Outcome:
        path = lab.instance.config
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(config or {}))
        path.chmod(0o600)
        plugins = options.pop("plugins", "engines.standard")
        loaded = load(path, environ={"NANOBOT_PLUGINS": plugins} if plugins else {})
        before = lab.transcript().read_bytes(), lab.transcript().stat().st_mtime_ns
        asked = {"live_tools": False, "workspace": lab.instance.workspace, **options}
        outcome = run(replay(loaded, recording(), turn=turn, **asked))
        assert (lab.transcript().read_bytes(), lab.transcript().stat().st_mtime_ns) == before
        return outcome

    return go
