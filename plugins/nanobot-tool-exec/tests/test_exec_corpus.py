"""Commands as they are tried on shell tools: harmless ones run, the others do no harm."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from nanobot.errors import ToolError
from nanobot.tool import ToolRequest
from nanobot_testing import make_turn, run

Corpus = Callable[[str], list[dict[str, str]]]


@pytest.fixture
def prepared(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workspace / "sub").mkdir()
    (workspace / "sub" / "inner.txt").write_text("inner\n")
    (workspace / "ok.txt").write_text("one\ntwo\nthree\nfour\n")
    subprocess.run(["git", "init", "-q"], cwd=workspace, check=True)
    monkeypatch.setenv("NANOBOT_TEST_KEY", "CANARY-ENV-88d1")
    return workspace


def test_harmless_commands_run(execute: Any, corpus: Corpus, prepared: Path) -> None:
    items = [item for item in corpus("shell_escapes") if item["expected"] == "allow"]
    assert items
    for item in items:
        command = item["input"].replace("{root}", str(prepared.parent))
        result = execute(command, restricted=True)
        assert not result.is_error, item["id"]
        assert result.text.endswith("Exit code: 0"), f"{item['id']}: {result.text}"


def test_no_key_is_printed(execute: Any, corpus: Corpus, prepared: Path) -> None:
    items = [item for item in corpus("shell_escapes") if item["expected"] == "no_leak"]
    assert items
    for item in items:
        assert "CANARY" not in execute(item["input"]).text, item["id"]


def test_greedy_commands_are_contained(
    open_exec: Any, corpus: Corpus, prepared: Path, survivors: Callable[[], list[str]]
) -> None:
    items = [item for item in corpus("shell_escapes") if item["expected"] == "contained"]
    assert items

    async def go() -> None:
        async with open_exec() as tool:
            turn = make_turn(prepared, restricted=False)

            async def length_of_result(command: str) -> int:
                arguments = {"command": command, "timeout": 1}
                try:
                    result = await tool.call(ToolRequest(name="exec", arguments=arguments), turn)
                except ToolError as refused:
                    return len(refused.message)
                return len(result.text)

            lengths = await asyncio.gather(*(length_of_result(item["input"]) for item in items))
            assert max(lengths) < 11_000
            assert survivors() == []

    run(go())
