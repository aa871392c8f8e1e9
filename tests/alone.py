"""Tests each distribution in an environment that holds only the core, the kit and itself.

Run it with ``hatch run alone [NAME ...]``. What a plugin forgot to declare shows here.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parent.parent
UV = os.environ.get("HATCH_UV") or shutil.which("uv") or "uv"
TOOLS = ["pytest", "hypothesis"]


def closure(folder: Path) -> list[Path]:
    """Return a distribution's folder and those of the siblings that it depends on."""
    found = [folder]
    for one in found:
        project = tomllib.loads((one / "pyproject.toml").read_text())["project"]
        for requirement in project.get("dependencies", []):
            name = requirement.split(">")[0].split("[")[0].strip()
            for place in (ROOT / name, ROOT / "plugins" / name):
                if place.is_dir() and place not in found:
                    found.append(place)
    return found


def check(folder: Path) -> tuple[str, bool, str]:
    """Run one distribution's tests; return its name, whether they passed, and what they said."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())
    tools = [*TOOLS, *project.get("dependency-groups", {}).get("test", [])]
    needed = list(dict.fromkeys([*closure(folder), *closure(ROOT / "plugins" / "nanobot-testing")]))
    with tempfile.TemporaryDirectory() as place:
        python = Path(place) / "bin" / "python"
        editable = [word for path in needed for word in ("-e", str(path))]
        steps = [
            [UV, "venv", "--quiet", "--python", sys.executable, place],
            [UV, "pip", "install", "--quiet", "--python", str(python), *editable, *tools],
            [str(python), "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder / "tests")],
        ]
        for step in steps:
            done = subprocess.run(step, cwd=ROOT, capture_output=True, text=True)
            if done.returncode:
                return folder.name, False, done.stdout + done.stderr
    return folder.name, True, done.stdout.strip().splitlines()[-1]


def main(names: list[str]) -> int:
    """Check the named distributions, or all that have tests."""
    folders = [ROOT / "nanobot-core", *sorted((ROOT / "plugins").iterdir())]
    chosen = [f for f in folders if (f / "tests").is_dir() and (not names or f.name in names)]
    failed = 0
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 2) as pool:
        for name, passed, said in pool.map(check, chosen):
            print(f"{'ok  ' if passed else 'FAIL'} {name}: {said}")
            failed += not passed
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
