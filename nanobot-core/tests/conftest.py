"""Fixtures for the tests of the agent, its plugins and its state."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from nanobot import log
from nanobot_testing import lab as lab_of_the_kit

HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def _log() -> Iterator[None]:
    """Write to the standard error that the test sees, not to that of one before."""
    log.configure()
    yield
    log.configure()


@pytest.fixture(scope="session")
def lab_module() -> ModuleType:
    """Return the laboratory's module, for its functions and classes."""
    return lab_of_the_kit


@pytest.fixture
def lab(lab_module: ModuleType, tmp_path: Path) -> Iterator[Any]:
    """Return a laboratory with one scripted model, `lab.model`."""
    made = lab_module.Lab(tmp_path)
    yield made
    sys.modules.pop(made.module.__name__, None)


@pytest.fixture(scope="session")
def corpus() -> Any:
    """Return a function that reads the items of a corpus."""

    def read(name: str) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = json.loads((HERE / "corpora" / f"{name}.json").read_text())[
            "items"
        ]
        return items

    return read


@pytest.fixture
def dist(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes the metadata of a distribution; returns its path entry."""

    def write(
        name: str,
        entries: str | bytes,
        *,
        version: str = "1.0",
        head: str | bytes = "",
        site: str = "site",
        folder: str = "",
        metadata: str = "METADATA",
    ) -> Path:
        path = tmp_path / site / (folder or f"{name.replace('-', '_')}-{version}.dist-info")
        path.mkdir(parents=True, exist_ok=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        text += head.encode() if isinstance(head, str) else head
        (path / metadata).write_bytes(text + b"\n\nThe description.\nName: not-this-one\n")
        data = entries if isinstance(entries, bytes) else entries.encode()
        (path / "entry_points.txt").write_bytes(data)
        return path.parent

    return write
