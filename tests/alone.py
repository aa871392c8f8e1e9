"""Tests each distribution in an environment that holds only the core, the kit and itself.

Run it with ``hatch run alone [NAME ...]``. What a plugin forgot to declare, or to pack into its
wheel, shows here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"
TOOLS = ["pytest", "hypothesis"]


def run(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command in the repository and return what came of it."""
    return subprocess.run([*map(str, words)], cwd=ROOT, capture_output=True, text=True)


def check(wheels: Path, folder: Path) -> tuple[str, bool, str]:
    """Run one distribution's tests; return its name, whether they passed, and what they said."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    tools = [*TOOLS, *project.get("dependency-groups", {}).get("test", [])]
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # some tests become another user, who must be able to read it
        python = Path(place) / "bin" / "python"
        install = [UV, "pip", "install", "--quiet", "--python", python, "--find-links", wheels]
        steps: list[list[str | Path]] = [
            [UV, "venv", "--quiet", "--python", sys.executable, place],
            [*install, folder.name, "nanobot-testing", *tools],
            [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder / "tests"],
        ]
        for step in steps:
            done = run(*step)
            if done.returncode:
                return folder.name, False, done.stdout + done.stderr
    return folder.name, True, done.stdout.strip().splitlines()[-1]


def main(names: list[str]) -> int:
    """Check the named distributions, or all that have tests."""
    folders = [ROOT / "nanobot-core", *sorted((ROOT / "plugins").iterdir())]
    chosen = [f for f in folders if (f / "tests").is_dir() and (not names or f.name in names)]
    failed = 0
    with tempfile.TemporaryDirectory() as wheels:
        built = run(UV, "build", "--quiet", "--wheel", "--all-packages", "--out-dir", wheels)
        if built.returncode:
            print(built.stderr)
            return 1
        with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
            for name, passed, said in pool.map(partial(check, Path(wheels)), chosen):
                print(f"{'ok  ' if passed else 'FAIL'} {name}: {said}")
                failed += not passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
