"""What the tests of the file tools share: a workspace with something outside, and a caller."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult, Turn
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec, run
from nanobot_testing.node import unavailable


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


class Caller:
    """Calls file tools in one workspace; errors come back as results, as the host does it."""

    def __init__(self, tmp_path: Path, folder: Path) -> None:
        self.tmp_path = tmp_path
        self.turn: Turn = make_turn(folder)
        self.config: dict[str, object] = {}

    def many(
        self, *calls: tuple[str, dict[str, Any]], turn: Turn | None = None
    ) -> list[ToolResult]:
        """Make several calls on one open plugin, one after the other."""

        async def work() -> list[ToolResult]:
            spec = load_spec("tools.files")
            async with open_spec(spec, self.config, self.tmp_path, plugin="tools.files") as tool:
                return [
                    await self.once(tool, name, args, turn or self.turn) for name, args in calls
                ]

        return run(work())

    def __call__(self, name: str, **args: Any) -> ToolResult:
        return self.many((name, args))[0]

    @staticmethod
    async def once(tool: Any, name: str, args: dict[str, Any], turn: Turn) -> ToolResult:
        try:
            result: ToolResult = await tool.call(ToolRequest(name=name, arguments=args), turn)
        except ToolError as error:
            return ToolResult.error(error.kind, error.message, target=error.target)
        return result


@pytest.fixture
def call(tmp_path: Path, workspace: Path) -> Caller:
    return Caller(tmp_path, workspace)


@pytest.fixture
def ripgrep() -> str:
    """Return the program; skips where it is missing, unless nothing may be skipped."""
    program = shutil.which("rg")
    if program is None:
        unavailable("ripgrep is missing: apt-get install ripgrep")
    return program


def content_of(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return everything below a folder, with modes and content."""
    return {
        str(path.relative_to(folder)): (
            stat.S_IMODE(path.lstat().st_mode),
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(folder.rglob("*"))
    }


@pytest.fixture
def tree_of() -> Callable[[Path], dict[str, tuple[int, bytes]]]:
    return content_of


@pytest.fixture
def open_call(tmp_path: Path, workspace: Path) -> Caller:
    caller = Caller(tmp_path, workspace)
    caller.turn = make_turn(workspace, restricted=False)
    return caller
