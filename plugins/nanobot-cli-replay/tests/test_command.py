"""``nanobot replay``, with live tools, and the tests that it writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from nanobot.errors import AuthError, ConfigError, ToolError
from nanobot_cli_replay.command import command
from nanobot_testing.lab import call

TOOL = """
from contextlib import asynccontextmanager

from nanobot import hookimpl
from nanobot.messages import ToolResult
from nanobot.specs import ToolDefinition, ToolSpec


@hookimpl
def nanobot_tools():
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    tool = ToolDefinition(name="note", description="Take a note.", parameters=parameters)
    return [ToolSpec(name="note", factory="nanobot_tool_note:open_tool", tools=(tool,))]


class Note:
    async def call(self, request, turn):
        path = turn.workspace.root / "notes.txt"
        path.write_text(path.read_text() + request.arguments["text"])
        return ToolResult.ok(path.read_text())


@asynccontextmanager
async def open_tool(config, context):
    yield Note()
"""


@pytest.fixture
def nanobot(lab: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Return a function that runs the command on the laboratory's instance."""
    for name in os.environ:
        if name.startswith("NANOBOT_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(lab.instance.data))
    monkeypatch.setenv("NANOBOT_PLUGINS", "engines.standard,tools.note")
    lab.instance.data.mkdir(parents=True, exist_ok=True)
    lab.instance.config.write_text("{}")
    lab.instance.config.chmod(0o600)

    def run(*arguments: str, status: int = 0) -> Any:
        places = ("-c", str(lab.instance.config), "-w", str(lab.instance.workspace))
        result = CliRunner().invoke(command, [*arguments, *places])
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == status, result.output
        return result

    return run


@pytest.fixture
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution with a tool."""
    site = tmp_path / "site"
    info = site / "nanobot_tool_note-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "nanobot_tool_note.py").write_text(TOOL)
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nanobot-tool-note\nVersion: 1.0\n"
        "Requires-Dist: nanobot-core>=0.1,<0.2\n\n"
    )
    (info / "entry_points.txt").write_text("[nanobot.v1.tools]\nnote = nanobot_tool_note\n")
    (info / "RECORD").write_text("")
    monkeypatch.syspath_prepend(site)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    monkeypatch.delitem(sys.modules, "nanobot_tool_note", raising=False)


def test_the_same(lab: Any, nanobot: Any) -> None:
    lab.model.says("Hi.")
    lab.run("Hello")
    assert "The same: 3 records of cli:direct." in nanobot("cli:direct").output
    report = json.loads(nanobot("cli:direct", "--json").output)
    assert report["same"] and report["difference"] is None and report["turns"] == 1


def test_a_difference(lab: Any, nanobot: Any) -> None:
    lab.model.says("Hi.")
    lab.run("Hello")
    text = lab.transcript().read_text()
    lab.transcript().write_text(text.replace('"stop_reason":"completed"', '"stop_reason":"error"'))
    assert "field stop_reason" in nanobot("cli:direct", status=1).output
    report = json.loads(nanobot("cli:direct", "--json", status=1).output)
    assert report["difference"]["replayed"] == "completed"


def test_no_such_session(lab: Any, nanobot: Any, tmp_path: Path) -> None:
    lab.model.says("Hi.")
    lab.run("Hello")
    with pytest.raises(ConfigError, match="there is no session 'nope'") as found:
        nanobot("nope")
    assert "cli:direct" in found.value.remedy
    (tmp_path / "other.jsonl").write_text("[]\n")
    with pytest.raises(ConfigError, match="is no transcript"):
        nanobot(str(tmp_path / "other.jsonl"))


def test_live_tools_run_in_a_copy(lab: Any, nanobot: Any, live: None) -> None:
    notes = lab.instance.workspace / "notes.txt"
    notes.write_text("old, ")

    async def note(request: Any, turn: Any) -> str:
        return f"old, {request.arguments['text']}"

    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    lab.tool("note", note, parameters=parameters)
    lab.model.calls(call("note", '{"text": "new"}')).says("Noted.")
    lab.run("note it")
    result = nanobot("cli:direct", "--live-tools")
    assert "The same" in result.output and "run for real" in result.output
    assert notes.read_text() == "old, "
    notes.write_text("changed, ")
    changed = nanobot("cli:direct", "--live-tools", status=1).output
    assert "(tool), field parts" in changed and "changed, new" in changed
    assert nanobot("cli:direct", "--live-tools", "--write", "x.py", status=2)


def test_a_test_that_was_written_passes_and_can_fail(
    lab: Any, nanobot: Any, tmp_path: Path
) -> None:
    lab.returns("look", 'it\'s "seen" at c:\\new\n')
    lab.raises("ask", ToolError("no such thing", kind="not_found"))
    lab.model.calls(call("look", '{"at": 1}', id="1"), call("ask", id="2"), text="Let me see.")
    lab.model.calls(call("nothing", id="3")).says("Done.")
    lab.model.fails(AuthError("no key", remedy="Set one.")).fails(AuthError("gone"), "I was")
    lab.model.says("Fine.")
    lab.run("one", "two", "three", "/new", "four")
    target = tmp_path / "written" / "test_recorded.py"
    target.parent.mkdir()
    assert "Wrote a test of 4 turns" in nanobot("cli:direct", "--write", str(target)).output
    with pytest.raises(ConfigError, match="exists already"):
        nanobot("cli:direct", "--write", str(target))
    assert pytest_status(target) == 0
    target.write_text(target.read_text().replace("'content': 'Done.'", "'content': 'Gone.'"))
    assert pytest_status(target) == 1


def pytest_status(path: Path) -> int:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", path.name],
        cwd=path.parent,
        env=environment,
        capture_output=True,
        timeout=60,
    )
    return done.returncode


def test_what_was_cut_off_is_not_written(lab: Any, nanobot: Any, tmp_path: Path) -> None:
    lab.model.says("Hi.")
    lab.run("Hello")
    lines = lab.transcript().read_text().splitlines(keepends=True)
    lab.transcript().write_text("".join(lines[:2]))
    with pytest.raises(ConfigError, match="no turn of the session can be written"):
        nanobot("cli:direct", "--write", str(tmp_path / "test_it.py"))
