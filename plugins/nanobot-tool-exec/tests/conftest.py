"""What the tests of the shell tool share."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.messages import ToolResult
from nanobot.tool import ToolRequest
from nanobot_testing import load_spec, make_turn, open_spec, run

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


@pytest.fixture
def execute(workspace: Path, tmp_path: Path, settings: dict[str, Any]) -> Execute:
    """Return a function that runs one call in the workspace and gives its result."""

    def call(
        command: object = None,
        *,
        config: Mapping[str, object] | None = None,
        restricted: bool = False,
        name: str = "exec",
        **arguments: object,
    ) -> ToolResult:
        given = arguments if command is None else {"command": command, **arguments}

        async def go() -> ToolResult:
            section = {**settings, **(config or {})}
            async with open_spec(load_spec("tools.exec"), section, tmp_path) as tool:
                request = ToolRequest(name=name, arguments=given)
                try:
                    result = await tool.call(request, make_turn(workspace, restricted=restricted))
                except ToolError as error:
                    return ToolResult.error(error.kind, error.message, target=error.target)
                assert isinstance(result, ToolResult)
                return result

        return run(go())

    return call


@pytest.fixture
def corpus() -> Callable[[str], list[dict[str, str]]]:
    """Return the items of a corpus by its name."""

    def read(name: str) -> list[dict[str, str]]:
        path = Path(__file__).with_name("corpora") / f"{name}.json"
        items: list[dict[str, str]] = json.loads(path.read_text())["items"]
        return items

    return read
