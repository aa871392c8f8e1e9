"""Programs of the Node ecosystem as test peers, installed once per machine."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

AIMOCK = "@copilotkit/aimock@^1.43"


def unavailable(reason: str) -> NoReturn:
    """Skip the test, or fail it where ``NANOBOT_TEST_STRICT=1`` says that all must be there."""
    if os.environ.get("NANOBOT_TEST_STRICT") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


def node_program(package: str, name: str) -> Path:
    """Return the path of a program from an npm package, installed on first use.

    Skips the test when Node or the package can not be had; see `unavailable`.
    """
    if not shutil.which("node") or not shutil.which("npm"):
        unavailable(f"{package} needs Node: node and npm are not on the PATH")
    folder = Path(tempfile.gettempdir()) / "nanobot-test-node"
    program = folder / "node_modules" / ".bin" / name
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            done = subprocess.run(
                ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", package],
                cwd=folder,
                capture_output=True,
                text=True,
            )
            if done.returncode or not program.exists():
                unavailable(f"npm install {package} failed: {done.stderr[-300:]}")
    return program


@contextmanager
def aimock(fixtures: Sequence[dict[str, Any]], folder: Path) -> Iterator[str]:
    """Run aimock, a mock of the vendors' APIs that others wrote, and yield its address.

    Args:
        fixtures: Its fixtures: what to match and what to answer.
        folder: Where to write them.
    """
    path = folder / "aimock-fixtures.json"
    path.write_text(json.dumps({"fixtures": list(fixtures)}), encoding="utf-8")
    program = node_program(AIMOCK, "llmock")
    command = [str(program), "--port", "0", "--fixtures", str(path), "--log-level", "info"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            assert process.stdout
            said = []
            for line in process.stdout:
                said.append(line)
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    yield found[0]
                    break
            else:
                unavailable(f"aimock did not start: {''.join(said)[-300:]}")
        finally:
            process.terminate()
