"""A small repository of real files, and the command line run on it as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

Nanobot = Callable[..., subprocess.CompletedProcess[str]]

FILES = {
    "README.md": "# Shop\n\nA tiny shop. Prices live in `shop/prices.py`.\n",
    "shop/__init__.py": "",
    "shop/prices.py": 'PRICES = {"tea": 3, "cake": 5}\n\n\ndef total(names):\n    return 0\n',
    "check.py": (
        "from shop.prices import total\n"
        "assert total(['tea', 'cake']) == 8, total(['tea', 'cake'])\n"
        "print('all good')\n"
    ),
}


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Return a folder with a program whose check fails until a function is mended."""
    folder = tmp_path / "shop-repository"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.fixture
def nanobot(clean_environment: Mapping[str, str], tmp_path: Path) -> Nanobot:
    """Return a function that writes a configuration and runs the command line."""

    def run(
        *arguments: str,
        config: Mapping[str, Any] | None = None,
        stdin: str | None = None,
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        path = Path(clean_environment["HOME"]) / ".nanobot" / "config.json"
        if config is not None:
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(config))
            path.chmod(0o600)
        environment = {
            **clean_environment,
            **(extra or {}),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{clean_environment['PATH']}",
        }
        streams: dict[str, Any] = (
            {"stdin": subprocess.DEVNULL} if stdin is None else {"input": stdin}
        )
        return subprocess.run(
            [sys.executable, "-m", "nanobot", *arguments],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            timeout=60,
            **streams,
        )

    return run
