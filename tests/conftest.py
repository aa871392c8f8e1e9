"""What the tests across distributions share."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class Distribution:
    """A distribution of this repository."""

    folder: Path
    project: dict[str, Any]
    tool: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.project["name"])

    @property
    def package(self) -> str:
        return "nanobot" if self.name == "nanobot-core" else self.name.replace("-", "_")

    @property
    def source(self) -> Path:
        return self.folder / "src" / self.package

    @property
    def depends(self) -> set[str]:
        names = (text.split(";")[0] for text in self.project.get("dependencies", []))
        return {_bare(name) for name in names}

    @property
    def below_core(self) -> bool:
        """Tell whether it is a library that the core may import: no plugin, nor built on nanobot.

        What depends on something that is itself not below the core is not either.
        """
        groups = self.project.get("entry-points", {})
        if self.name == "nanobot-core" or any(group.startswith("nanobot.") for group in groups):
            return False
        return all(one.below_core for one in (CORE, *PLUGINS) if one.name in self.depends)

    def __str__(self) -> str:
        return self.name


def _bare(requirement: str) -> str:
    for stop in "<>=!~[ (":
        requirement = requirement.split(stop)[0]
    return requirement.strip().lower()


def _read(folder: Path) -> Distribution:
    data = tomllib.loads((folder / "pyproject.toml").read_text())
    return Distribution(folder=folder, project=data["project"], tool=data.get("tool", {}))


CORE = _read(ROOT / "nanobot-core")
PLUGINS = [_read(path.parent) for path in sorted((ROOT / "plugins").glob("*/pyproject.toml"))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test once for each distribution that its arguments ask for."""
    if "plugin" in metafunc.fixturenames:
        metafunc.parametrize("plugin", PLUGINS, ids=str)
    if "distribution" in metafunc.fixturenames:
        metafunc.parametrize("distribution", [CORE, *PLUGINS], ids=str)


@pytest.fixture
def root() -> Path:
    """Return the repository."""
    return ROOT


@pytest.fixture
def core() -> Distribution:
    """Return the core's distribution."""
    return CORE


@pytest.fixture
def plugins() -> list[Distribution]:
    """Return the plugins' distributions."""
    return PLUGINS


@pytest.fixture
def clean_environment(tmp_path: Path) -> dict[str, str]:
    """Return an environment with a home of its own and no keys."""
    home = tmp_path / "home"
    home.mkdir()
    kept = {"PATH", "LANG", "LC_ALL", "TMPDIR", "PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV"}
    return {
        **{name: value for name, value in os.environ.items() if name in kept},
        "HOME": str(home),
        "NO_COLOR": "1",
        "NO_PROXY": "*",
    }
