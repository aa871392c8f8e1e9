"""The main job on real input: the agent mends a program, with a model that others wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nanobot_testing.node import aimock

ASK = "The check of this shop fails. Mend it."
OLD = "def total(names):\n    return 0\n"
NEW = "def total(names):\n    return sum(PRICES[name] for name in names)\n"


def step(turn: int, **response: Any) -> dict[str, Any]:
    return {"match": {"userMessage": ASK, "sequenceIndex": turn}, "response": response}


def call(name: str, **arguments: Any) -> dict[str, str]:
    return {"name": name, "arguments": json.dumps(arguments)}


STEPS = [
    step(
        0,
        toolCalls=[
            call("list_dir", path=".", recursive=True),
            call("grep", pattern="def total", output_mode="content"),
        ],
    ),
    step(1, toolCalls=[call("read_file", path="shop/prices.py")]),
    step(2, toolCalls=[call("exec", command="python3 check.py")]),
    step(3, toolCalls=[call("edit_file", path="shop/prices.py", old_text=OLD, new_text=NEW)]),
    step(4, toolCalls=[call("exec", command="python3 check.py")]),
    step(5, content="Mended: `total` now sums the prices, and the check passes."),
]


def settings(provider: str, base: str, model: str) -> dict[str, Any]:
    return {
        "agents": {"defaults": {"provider": provider, "model": model}},
        "providers": {provider: {"apiKey": "sk-test-not-a-key", "apiBase": base}},
        "tools": {"exec": {"sandbox": ""}},
    }


def records(workspace: Path) -> list[dict[str, Any]]:
    (path,) = (workspace / "sessions").glob("*.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("provider", "suffix", "model"),
    [("custom", "/v1", "gpt-4o"), ("anthropic", "", "claude-sonnet-4-5")],
)
def test_the_agent_mends_a_program(
    nanobot: Any, repository: Path, tmp_path: Path, provider: str, suffix: str, model: str
) -> None:
    with aimock(STEPS, tmp_path) as address:
        config = settings(provider, address + suffix, model)
        done = nanobot("agent", "-w", str(repository), "-m", ASK, config=config)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Mended: `total` now sums the prices, and the check passes.\n"
    assert "Traceback" not in done.stderr and "sk-test" not in done.stderr
    assert NEW in (repository / "shop/prices.py").read_text()

    kept = records(repository)
    results = {r["name"]: r["parts"][0]["text"] for r in kept if r["type"] == "tool"}
    ran = [r for r in kept if r["type"] == "tool" and r["name"] == "exec"]
    assert [r["name"] for r in kept if r["type"] == "tool"] == [
        "list_dir",
        "grep",
        "read_file",
        "exec",
        "edit_file",
        "exec",
    ]
    assert "prices.py" in results["list_dir"] and "def total" in results["grep"]
    assert "AssertionError" in ran[0]["parts"][0]["text"]
    assert "all good" in ran[1]["parts"][0]["text"]
    assert kept[-1]["type"] == "end" and kept[-1]["stop_reason"] == "completed"
    assert "sk-test" not in json.dumps(kept)


def test_the_next_turn_knows_the_last_one(nanobot: Any, repository: Path, tmp_path: Path) -> None:
    fixtures = [
        {"match": {"userMessage": "My name is Ada."}, "response": {"content": "Hello Ada."}},
        {"match": {"userMessage": "What is my name?"}, "response": {"content": "Ada."}},
    ]
    with aimock(fixtures, tmp_path) as address:
        config = settings("custom", f"{address}/v1", "gpt-4o")
        arguments = ("agent", "-w", str(repository), "-s", "cli:ada", "-m")
        assert nanobot(*arguments, "My name is Ada.", config=config).stdout == "Hello Ada.\n"
        done = nanobot(*arguments, "What is my name?", "--json")
    answer = json.loads(done.stdout)
    assert answer["content"] == "Ada." and answer["session"] == "cli:ada"
    assert answer["usage"]["billed"]["input"] > 0
