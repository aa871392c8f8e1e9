"""Every test of the disk guard runs twice: with the kernel's resolution, and with the walk."""

from __future__ import annotations

from pathlib import Path

import pytest
from nanobot_security import _kernel


@pytest.fixture(params=["kernel", "walk"], autouse=True)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Force the walk for one half of the tests."""
    if request.param == "walk":
        monkeypatch.setattr(_kernel, "has_openat2", lambda: False)
    return str(request.param)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a folder with a workspace ``ws`` and, outside of it, ``out/secret.txt``."""
    (tmp_path / "ws" / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret.txt").write_text("CANARY")
    return tmp_path
