"""How long grep takes over many files, beside ripgrep: run with ``hatch run bench``.

Nothing is asserted: a busy machine must not fail a build.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec, run

FILES = 50_000
RUNS = 5
PATTERNS = {"in no file": "no_such_word", "in a few": r"needle_\d+", "in all": "import"}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tree")
    for folder in range(FILES // 100):
        path = root / f"pkg{folder % 50}" / f"sub{folder}"
        path.mkdir(parents=True)
        for number in range(100):
            text = "import os\n" + f"def function_{number}():\n    return {folder}\n" * 20
            if number == 7 and folder % 10 == 0:
                text += f"needle_{folder}\n"
            (path / f"module{number}.py").write_text(text)
    return root


def median(work: Callable[[], None]) -> float:
    times = []
    for _ in range(RUNS):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


@pytest.mark.parametrize("what", PATTERNS)
def bench_grep(what: str, tree: Path, tmp_path: Path) -> None:
    pattern = PATTERNS[what]

    async def own(use: bool) -> None:
        async with open_spec(load_spec("tools.files"), {"useRipgrep": use}, tmp_path) as tool:
            request = ToolRequest(name="grep", arguments={"pattern": pattern})
            result = await tool.call(request, make_turn(tree))
            assert not result.is_error

    print(f"\nfiles: {FILES}, pattern {what}")
    program = shutil.which("rg")
    if program:
        raw = [program, "--hidden", "--no-ignore", "-l", "-e", pattern, "."]
        alone = median(lambda: subprocess.run(raw, cwd=tree, capture_output=True) and None)
        with_it = median(lambda: run(own(True)))
        print(f"  ripgrep alone {alone:6.3f} s")
        print(f"  with ripgrep  {with_it:6.3f} s, {with_it / alone:.2f} times; must reach 1.5")
    print(f"  without       {median(lambda: run(own(False))):6.3f} s")
