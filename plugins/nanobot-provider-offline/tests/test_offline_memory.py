"""Remembering: what is new is added, what is there stays."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from nanobot.messages import ToolResult

Turn = Callable[..., str]
EMPTY = ["", "# Memory\n", "# Memory\n\n- I live in Ulm\n", "- a\n- b\n- a\n\n\n", "no newline"]


def test_the_first_fact_makes_the_file(turn: Turn, tools: Any) -> None:
    answer = turn("Remember that I like tea.")
    assert "I like tea" in answer and "memory/MEMORY.md" in answer
    assert (tools.folder / "memory" / "MEMORY.md").read_text() == "# Memory\n\n- I like tea\n"
    assert tools.calls[0] == ("read_file", {"path": "memory/MEMORY.md", "force": True})


@pytest.mark.parametrize("before", EMPTY)
def test_nothing_is_lost(turn: Turn, tools: Any, before: str) -> None:
    file = tools.folder / "memory" / "MEMORY.md"
    file.parent.mkdir()
    file.write_text(before)
    turn("remember: my cat is called Miez")
    turn("remember I like tea")
    lines = file.read_text().splitlines()
    assert [line for line in lines if line in before.splitlines()][: len(before.splitlines())] == (
        before.splitlines()
    )
    added = [line for line in lines if "Miez" in line or "tea" in line]
    assert added == ["- my cat is called Miez", "- I like tea"]


def test_a_fact_is_one_line(turn: Turn, tools: Any) -> None:
    turn("remember that tea\n# Heading\n  is   fine " + "x" * 1_000)
    text = (tools.folder / "memory" / "MEMORY.md").read_text()
    assert text.startswith("# Memory\n\n- tea # Heading is fine xxx")
    assert len(text.splitlines()) == 3 and len(text) < 600


@pytest.mark.parametrize("failing", ["read_file", "edit_file"])
def test_a_failing_tool_is_reported(
    turn: Turn, tools: Any, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def fail(**arguments: object) -> ToolResult:
        return ToolResult.error("denied", "No access.")

    monkeypatch.setattr(tools, f"_{failing}", fail)
    assert "No access." in turn("remember that I like tea")
    assert tools.calls[-1][0] == failing


@pytest.mark.parametrize("said", ["what do you remember?", "What do you know about me"])
def test_recall_reads_the_prompt(turn: Turn, tools: Any, said: str) -> None:
    answer = turn(said, memory="# Memory\n\n## Long-term\n\n- I like tea\n- my cat is Miez\n")
    assert answer == "This is what I remember:\n\n- I like tea\n- my cat is Miez"
    assert tools.calls == []


@pytest.mark.parametrize("memory", ["", "# Memory\n\n"])
def test_an_empty_memory_is_said_to_be_empty(turn: Turn, memory: str) -> None:
    assert turn("what do you remember", memory=memory).startswith("Nothing yet.")
