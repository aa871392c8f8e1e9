"""Every vendor's plugin answers a turn with a tool call, against a mock that others wrote."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import httpx
import pytest
from nanobot import Nanobot, RunResult, log
from nanobot.specs import ProviderSpec
from nanobot_testing import load_spec, run
from nanobot_testing.node import aimock

KEY = "sk-test-CANARY-0123456789"
QUESTION = "What does note.txt say?"
NOTE = "the colour is blue"
ANSWER = "It says blue."
STEPS = [
    {
        "match": {"userMessage": QUESTION, "hasToolResult": False},
        "response": {"toolCalls": [{"name": "read_file", "arguments": '{"path": "note.txt"}'}]},
    },
    {
        "match": {"userMessage": QUESTION, "hasToolResult": True},
        "response": {"content": ANSWER},
    },
]
BASES = {
    "nanobot_provider_compat": "/v1",
    "nanobot_provider_custom": "/v1",
    "nanobot_provider_anthropic": "",
    "nanobot_provider_openai": "/v1",
    "nanobot_provider_azure_openai": "/openai/v1",
    "nanobot_provider_xai_grok": "/v1",
    "nanobot_provider_bedrock": "",
}
"""Where aimock speaks the dialect of a package."""
ELSEWHERE = {
    "offline": "it has no server",
    "github_copilot": "it needs a login",
    "openai_codex": "it needs a login",
}


def package(spec: ProviderSpec) -> str:
    return spec.factory.partition(".")[0]


INSTALLED: dict[str, ProviderSpec] = {
    name: load_spec(f"providers.{name}")
    for name in sorted(entry_points(group="nanobot.v1.providers").names)
}
VENDORS = [name for name, spec in INSTALLED.items() if package(spec) in BASES]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of one aimock for all vendors."""
    with aimock(STEPS, tmp_path_factory.mktemp("aimock")) as address:
        yield address


@pytest.fixture
def logged(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """Write every record to the standard error of the test."""
    log.configure(level="debug")
    yield
    log.configure()


def asked(server: str, question: str) -> list[dict[str, Any]]:
    """Return the requests that carried a question."""
    journal = httpx.get(f"{server}/__aimock/journal", trust_env=False).json()
    return [entry for entry in journal if question in json.dumps(entry["body"])]


def talk(spec: ProviderSpec, base: str, folder: Path, question: str) -> RunResult:
    """Ask a vendor through the SDK; the key is said in the log while it is open."""
    workspace = folder / "work"
    workspace.mkdir()
    (workspace / "note.txt").write_text(NOTE)
    defaults = {
        "provider": spec.name,
        "model": spec.default_model or "gpt-4o",
        "workspace": str(workspace),
    }
    section = {"apiKey": KEY, "apiBase": base}
    path = folder / "config.json"
    path.write_text(
        json.dumps({"agents": {"defaults": defaults}, "providers": {spec.name: section}})
    )
    path.chmod(0o600)

    async def go() -> RunResult:
        async with Nanobot.from_config(path) as bot:
            result = await bot.run(question)
            log.get(vendor=spec.name).warning("detector", said=KEY)
            return result

    return run(go())


@pytest.mark.usefixtures("logged")
@pytest.mark.parametrize("name", VENDORS)
def test_a_turn_with_a_tool(
    server: str, tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    spec, question = INSTALLED[name], f"{QUESTION} I ask {name}."
    result = talk(spec, server + BASES[package(spec)], tmp_path, question)
    assert (result.content, result.error) == (ANSWER, "")
    assert result.tools_used == ("read_file",) and result.stop_reason == "completed"
    assert result.usage.calls == 2
    assert result.usage.billed.input > 0 and result.usage.billed.output > 0
    if package(spec) == "nanobot_provider_compat" and spec.options.get("stream_usage", True):
        assert not result.usage.estimated, "the server told the usage"

    first, second = asked(server, question)
    assert "[REDACTED]" in first["headers"].values(), "the key is in a header"
    assert NOTE not in json.dumps(first["body"]) and NOTE in json.dumps(second["body"])

    written, shown = "", "".join(capfd.readouterr())
    for path in (tmp_path / "work" / "sessions").glob("*.jsonl"):
        written += path.read_text()
    (tool,) = (one for one in map(json.loads, written.splitlines()) if one["type"] == "tool")
    assert NOTE in tool["parts"][0]["text"]
    assert "detector" in shown and KEY not in shown
    assert KEY not in written and KEY not in json.dumps([first, second])


def test_no_vendor_is_left_out() -> None:
    assert INSTALLED.keys() - set(VENDORS) == ELSEWHERE.keys()
    assert sum(package(INSTALLED[name]) == "nanobot_provider_compat" for name in VENDORS) > 30
