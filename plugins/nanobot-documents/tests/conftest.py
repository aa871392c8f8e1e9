"""What the tests of documents share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a document may be, in a folder that holds nothing else."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return folder / "settings.json"
