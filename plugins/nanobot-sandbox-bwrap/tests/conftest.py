"""What the tests of the sandbox share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import Extension
from nanobot.messages import ToolResult, Workspace
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, open_spec, run
from nanobot_testing.node import unavailable
from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.tool import open_tool

Execute = Callable[..., ToolResult]


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


@pytest.fixture
def open_exec(tmp_path: Path) -> Any:
    """Return a function that opens the shell tool with this sandbox."""
    spec = load_spec("sandboxes.bwrap")

    @asynccontextmanager
    async def opened(**section: object) -> AsyncIterator[Any]:
        async with open_spec(spec, {}, tmp_path) as sandbox:
            if reason := await sandbox.available():
                unavailable(reason)
        found = {"bwrap": Extension(spec=spec, open=lambda: open_spec(spec, {}, tmp_path))}
        context = replace(
            make_context(load_spec("tools.exec"), tmp_path), extensions=lambda kind: found
        )
        config = ExecConfig.model_validate({"sandbox": "auto", **section})
        async with open_tool(config, context) as tool:
            yield tool

    return opened


@pytest.fixture
def execute(workspace: Path, open_exec: Any) -> Execute:
    """Return a function that runs one command and gives its result."""

    def call(
        command: str,
        *,
        restricted: bool = True,
        denied: tuple[Path, ...] = (),
        root: Path = workspace,
        **section: object,
    ) -> ToolResult:
        async def go() -> ToolResult:
            async with open_exec(**section) as tool:
                turn = replace(
                    make_turn(root),
                    workspace=Workspace(root=root, restricted=restricted, denied=denied),
                )
                request = ToolRequest(name="exec", arguments={"command": command})
                result: ToolResult = await tool.call(request, turn)
                return result

        return run(go())

    return call
