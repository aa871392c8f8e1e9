"""A shop: installed providers that are not there."""

from __future__ import annotations

from pathlib import Path

import pytest
from nanobot_testing.shop import Shop


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Return a shop without any provider."""
    return Shop(tmp_path, monkeypatch)
