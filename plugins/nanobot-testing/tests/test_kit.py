"""The kit itself: good plugins pass, bad ones do not, and a contract can not be weakened."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PLUGIN = """
from nanobot import hookimpl
from nanobot.messages import Effects
from nanobot.specs import ToolDefinition, ToolSpec

@hookimpl
def nanobot_tools():
    return (
        ToolSpec(
            name="demo",
            factory="nanobot_tool_demo.tool:open_tool",
            tools=(
                ToolDefinition(
                    name="echo",
                    description="Return the text that it is given.",
                    parameters={"type": "object", "properties": {"text": {"type": "string"}}},
                    effects=Effects(read_only=True),
                ),
            ),
        ),
    )
"""
TOOL = """
from contextlib import asynccontextmanager
from nanobot.messages import ToolResult

class Echo:
    async def call(self, request, turn):
        if request.name != "echo":
            return ToolResult.error("unknown_tool", "no such tool")
        return ToolResult.ok(str(request.arguments["text"]))

@asynccontextmanager
async def open_tool(config, context):
    yield Echo()
"""
TEST = """
import pytest
from nanobot_testing import ToolContract

class TestDemo(ToolContract):
    plugin = "tools.demo"
    examples = {"echo": [{"text": "hello"}]}
"""
ANSWER = 'return ToolResult.ok(str(request.arguments["text"]))'


def check(folder: Path, *, plugin: str = PLUGIN, tool: str = TOOL, test: str = TEST) -> str:
    """Run the contract on a plugin written into a folder; return what pytest said."""
    package = folder / "nanobot_tool_demo"
    package.mkdir()
    (package / "__init__.py").write_text('"""A demo."""\n')
    (package / "plugin.py").write_text(plugin)
    (package / "tool.py").write_text(tool)
    metadata = folder / "nanobot_tool_demo-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: nanobot-tool-demo\nVersion: 1.0\n"
    )
    (metadata / "entry_points.txt").write_text(
        "[nanobot.v1.tools]\ndemo = nanobot_tool_demo.plugin\n"
    )
    (folder / "test_demo.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_demo.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin"},
    )
    return done.stdout + done.stderr


def test_a_good_plugin_passes(tmp_path: Path) -> None:
    said = check(tmp_path)
    assert " passed" in said and "failed" not in said, said


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        ('name="demo"', 'name="other"', "LookupError"),
        ("from nanobot import hookimpl", "import pytest\nfrom nanobot import hookimpl", "foreign"),
        ('"type": "string"', '"type": "text"', "test_definitions_are_fit_for_models"),
        ('name="echo"', 'name="echo it!"', "test_definitions_are_fit_for_models"),
    ],
)
def test_a_bad_registration_fails(tmp_path: Path, old: str, new: str, fails: str) -> None:
    assert old in PLUGIN
    said = check(tmp_path, plugin=PLUGIN.replace(old, new))
    assert "failed" in said or "error" in said
    assert fails in said


@pytest.mark.parametrize(
    ("old", "new", "fails"),
    [
        (ANSWER, 'return "just text"', "test_examples_work"),
        (
            ANSWER,
            'turn.workspace.root.joinpath("x").write_text("y")\n        return ToolResult.ok("z")',
            "test_read_only_tools_change_nothing",
        ),
        (
            'return ToolResult.error("unknown_tool", "no such tool")',
            'return ToolResult.ok("fine")',
            "test_unknown_tool_is_refused",
        ),
    ],
)
def test_a_tool_that_lies_fails(tmp_path: Path, old: str, new: str, fails: str) -> None:
    assert old in TOOL
    said = check(tmp_path, tool=TOOL.replace(old, new))
    assert fails in said and "failed" in said


def test_an_example_for_every_tool(tmp_path: Path) -> None:
    said = check(tmp_path, test=TEST.replace('{"echo": [{"text": "hello"}]}', "{}"))
    assert "test_every_tool_has_an_example" in said and "failed" in said


def test_a_contract_test_can_not_be_replaced(tmp_path: Path) -> None:
    said = check(tmp_path, test=TEST + "\n    def test_examples_work(self):\n        pass\n")
    assert "may be overridden only by an xfail with a reason" in said and " passed" not in said


def test_a_contract_test_can_not_be_taken_away(tmp_path: Path) -> None:
    said = check(tmp_path, test=TEST + "\n    test_examples_work = None\n")
    assert "may be overridden only by an xfail with a reason" in said


def test_an_xfail_needs_a_reason(tmp_path: Path) -> None:
    bare = "\n    @pytest.mark.xfail\n    def test_cancel_is_obeyed(self):\n        assert False\n"
    assert "only by an xfail with a reason" in check(tmp_path, test=TEST + bare)


def test_an_xfail_with_a_reason_is_accepted(tmp_path: Path) -> None:
    mark = '    @pytest.mark.xfail(reason="the platform can not cancel")\n'
    body = "    def test_cancel_is_obeyed(self):\n        assert False\n"
    said = check(tmp_path, test=TEST + "\n" + mark + body)
    assert "1 xfailed" in said, said
