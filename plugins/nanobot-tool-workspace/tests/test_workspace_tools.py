"""Which files become tools, and what becomes of the others."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from nanobot.messages import Role, Trust

HEAD = "from nanobot.agent.tools import Tool, ToolContext\n"
GOOD = """
    name = "good"
    description = "Be good."
    parameters = {"type": "object", "properties": {}}

    async def execute(self):
        return "good"
"""


def told(place: Any, trust: Any = True) -> str:
    return str(place.call("workspace_tools", trust).text)


def test_files_become_tools_in_alphabetical_order(place: Any) -> None:
    for file in ("b.py", "a.py", "_hidden.py", ".dot.py", "notes.txt"):
        place.write(file, file.strip("._")[:-3])
    (place.folder / "deeper").mkdir()
    (place.folder / "folder.py").mkdir()
    assert place.names(True)[:2] == ["a", "b"]
    assert "folder.py" in told(place)
    result = place.call("a", True, text="you")
    assert (result.text, result.parts[0].trust) == ("a heard you", Trust.UNTRUSTED)


def test_there_may_be_no_folder(place: Any) -> None:
    place.folder.rmdir()
    assert place.names(True) == []


def test_none_is_loaded_when_it_is_switched_off(place: Any) -> None:
    place.write("a.py")
    assert place.names(False) == []


def test_the_first_file_wins_a_name(place: Any) -> None:
    place.write("a.py", "same")
    place.write("b.py", "same")
    assert place.names(True) == ["same", "workspace_tools"]
    assert "b.py: an earlier file has a tool 'same' already" in told(place)


def test_a_file_may_hold_several_and_build_on_its_own_base(place: Any) -> None:
    source = HEAD + (
        "class Base(Tool):\n"
        '    description = "Do it."\n'
        '    parameters = {"type": "object"}\n'
        "class One(Base):\n"
        '    name = "one"\n'
        "    async def execute(self):\n        return 1\n"
        "class Two(Base):\n"
        '    name = "two"\n'
        "    read_only = True\n"
        "    async def execute(self):\n        return self.error('no')\n"
    )
    place.write("several.py", source=source)

    async def look(tool: Any) -> Any:
        return {d.name: d for d in tool.definitions()}

    one, two = place.open(look, True).values()
    assert (one.effects.read_only, two.effects.read_only) == (False, True)
    assert one.role is Role.USER
    assert one.parameters["properties"] == {}
    assert place.call("one", True).text == "1"
    assert (place.call("two", True).kind, place.call("two", True).text) == ("failed", "no")


def test_a_constructor_may_take_the_context(place: Any) -> None:
    source = HEAD + (
        "class Made(Tool):\n"
        "    name = description = 'where'\n"
        "    parameters = {'type': 'object'}\n"
        "    def __init__(self, context: ToolContext):\n"
        "        self.seen = context\n"
        "    async def execute(self):\n"
        "        c = self.seen\n"
        "        paths = [str(c.workspace), str(c.allowed_dir), c.working_dir]\n"
        "        return repr([*paths, c.exec_timeout, c.restrict_to_workspace, c.brave_api_key])\n"
    )
    place.write("where.py", source=source)
    here = str(place.workspace)
    assert place.call("where", True).text == repr([here, here, here, 60, True, None])


def test_a_property_and_a_dataclass_work_as_in_any_module(place: Any) -> None:
    source = "from __future__ import annotations\nfrom dataclasses import dataclass, field\n" + (
        HEAD
        + "@dataclass\nclass Counter(Tool):\n    calls: list[int] = field(default_factory=list)"
        '\n    @property\n    def name(self):\n        return "count"\n'
        '    description = "Count."\n    parameters = {"type": "object"}\n'
        "    async def execute(self):\n"
        "        self.calls.append(1)\n        return str(len(self.calls))\n"
    )
    place.write("count.py", source=source)
    assert place.call("count", True).text == "1"


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ("def (", "SyntaxError"),
        ("import no_such_module_at_all", "'no_such_module_at_all' is not installed"),
        ("raise RuntimeError('boom')", "RuntimeError: boom"),
        ("raise SystemExit(3)", "sys.exit(3)"),
        ("x = 1", "no subclass of Tool"),
        (HEAD, "no subclass of Tool"),
        (HEAD + "class A(Tool):\n    name = 'a'", "no subclass of Tool"),
        (HEAD + "class A(Tool):\n    def __init__(self, much): ..." + GOOD, "missing 1 required"),
        (HEAD + "class A(Tool):" + GOOD.replace('"good"\n', '"not good"\n', 1), "`name` must be"),
        (HEAD + "class A(Tool):" + GOOD.replace('"Be good."', "7"), "`description` must be"),
        (HEAD + "class A(Tool):" + GOOD.replace('"object"', '"array"'), "`parameters` must be"),
        (HEAD + "class A(Tool):" + GOOD.replace("{}", "{'x': {1}}"), "not JSON serializable"),
        (HEAD + "class A(Tool):" + GOOD.replace("async ", ""), "`execute` must be"),
    ],
)
def test_a_broken_file_is_told_and_stops_no_other(place: Any, source: str, why: str) -> None:
    place.write("broken.py", source=source)
    place.write("zebra.py")
    assert place.names(True) == ["zebra", "workspace_tools"]
    assert told(place).startswith("broken.py: ")
    assert why in told(place)


def test_what_can_not_be_read_is_told(place: Any, tmp_path: Path) -> None:
    outside = tmp_path / "outside.py"
    outside.write_text("raise AssertionError('it was run')")
    (place.folder / "link.py").symlink_to(outside)
    os.mkfifo(place.folder / "pipe.py")
    (place.folder / "huge.py").write_bytes(b"#" * ((1 << 20) + 1))
    assert place.names(True) == ["workspace_tools"]
    assert "run" not in told(place)
    assert [line.split(":")[0] for line in told(place).splitlines()] == [
        "huge.py",
        "link.py",
        "pipe.py",
    ]


def test_modules_are_let_go_at_the_end(place: Any) -> None:
    before = set(sys.modules)
    place.write("a.py")
    place.names(True)
    assert not [name for name in set(sys.modules) - before if "workspace_tool" in name]


def test_nothing_is_written_beside_the_files(place: Any) -> None:
    place.write("a.py")
    place.names(True)
    assert [path.name for path in place.folder.iterdir()] == ["a.py"]


def test_a_tool_that_raises_crashes_alone(place: Any) -> None:
    place.write("a.py", source=HEAD + "class A(Tool):" + GOOD.replace("return", "raise KeyError #"))
    with pytest.raises(KeyError):
        place.call("good", True)
