"""What the tests of the shell tool share."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from nanobot.context import Extension
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import Tool, ToolRequest
from nanobot_testing import load_spec, make_context, make_turn, run
from nanobot_tool_exec.config import ExecConfig
from nanobot_tool_exec.tool import open_tool

MARK = "NANOBOT_EXEC_TEST_MARK"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "ws"
    folder.mkdir()
    return folder


@pytest.fixture
def marked(monkeypatch: pytest.MonkeyPatch) -> str:
    """Mark every process that a command starts, by an environment variable."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv(MARK, mark)
    return mark


@pytest.fixture
def survivors(marked: str) -> Callable[[], list[str]]:
    """Return the command lines of all marked processes."""

    def find() -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and int(entry.name) != os.getpid():
                try:
                    if marked.encode() in (entry / "environ").read_bytes():
                        found.append((entry / "cmdline").read_text())
                except OSError:
                    continue
        return found

    return find


Execute = Callable[..., ToolResult]


@pytest.fixture
def settings() -> dict[str, Any]:
    return {"sandbox": "", "allowedEnvKeys": [MARK]}


Open = Callable[..., AbstractAsyncContextManager[Tool]]


@pytest.fixture
def open_exec(tmp_path: Path, settings: dict[str, Any]) -> Open:
    """Return a function that opens the tool among the given sandboxes."""

    @asynccontextmanager
    async def opened(
        config: Mapping[str, object] | None = None, sandboxes: Sequence[Extension] = ()
    ) -> AsyncIterator[Tool]:
        section = ExecConfig.model_validate({**settings, **(config or {})})
        found = {one.spec.name: one for one in sandboxes}
        context = make_context(load_spec("tools.exec"), tmp_path)
        async with open_tool(section, replace(context, extensions=lambda kind: found)) as tool:
            yield tool

    return opened


@pytest.fixture
def execute(workspace: Path, open_exec: Open) -> Execute:
    """Return a function that runs one call in the workspace and gives its result."""

    def call(
        command: object = None,
        *,
        config: Mapping[str, object] | None = None,
        sandboxes: Sequence[Extension] = (),
        restricted: bool = False,
        name: str = "exec",
        **arguments: object,
    ) -> ToolResult:
        given = arguments if command is None else {"command": command, **arguments}

        async def go() -> ToolResult:
            async with open_exec(config, sandboxes) as tool:
                request = ToolRequest(name=name, arguments=given)
                try:
                    return await tool.call(request, make_turn(workspace, restricted=restricted))
                except ToolError as error:
                    return ToolResult.error(error.kind, error.message, target=error.target)

        return run(go())

    return call


Call = Callable[..., Awaitable[ToolResult]]


@pytest.fixture
def opened(open_exec: Any, workspace: Path) -> Any:
    """Return a context with a function that calls a tool on behalf of a user."""

    @asynccontextmanager
    async def start(**config: object) -> AsyncIterator[Call]:
        async with open_exec(config) as tool:

            async def call(name: str, *, user: str = "alice", **arguments: object) -> ToolResult:
                turn = make_turn(workspace, restricted=False, user=user)
                result: ToolResult = await tool.call(
                    ToolRequest(name=name, arguments=arguments), turn
                )
                return result

            yield call

    return start


@pytest.fixture
def corpus() -> Callable[[str], list[dict[str, str]]]:
    """Return the items of a corpus by its name."""

    def read(name: str) -> list[dict[str, str]]:
        path = Path(__file__).with_name("corpora") / f"{name}.json"
        items: list[dict[str, str]] = json.loads(path.read_text())["items"]
        return items

    return read
