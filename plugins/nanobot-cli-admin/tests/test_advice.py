"""What is wrong with a configuration is said when nanobot starts, and costs no import before."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from nanobot import Nanobot
from nanobot.findings import AdviceRequest
from nanobot.specs import ProviderSpec, Spec
from nanobot_cli_admin.plugin import nanobot_advice
from nanobot_testing import run
from nanobot_testing.host import find_entry_point

_LOADED = "import nanobot_cli_admin.plugin, sys, json; print(json.dumps(sorted(sys.modules)))"


def advice(document: dict[str, object], **more: list[Spec]) -> list[str]:
    installed = {"advice": ["config"], "services": ["heartbeat"]}
    request = AdviceRequest(document=document, installed=installed, specs=more)
    return [f"{finding.severity} {finding}" for finding in nanobot_advice(request)]


def test_it_is_registered() -> None:
    assert find_entry_point("advice.config").module == "nanobot_cli_admin.plugin"


def test_registering_is_cheap() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, check=True)
    loaded = set(json.loads(done.stdout))
    assert not {"nanobot._config", "nanobot._plugins", "nanobot_cli_admin.claims"} & loaded


def test_sections_and_risks_are_told() -> None:
    document: dict[str, object] = {
        "providers": {"opnai": {"apiKey": "CANARY"}},
        "tools": {"exec": {"allowedEnvKeys": ["A_TOKEN"]}},
        "gateway": {"heartbeat": {}},
        "api": {"host": ""},
    }
    lines = advice(
        document,
        providers=[ProviderSpec(name="openai", factory="x:y")],
        tools=[Spec(name="exec", factory="x:y")],
    )
    assert [line.split(": ")[0] for line in lines] == [
        "error providers.opnai",
        "error api.host",
        "warning tools.exec.allowedEnvKeys[0]",
    ]
    assert "CANARY" not in str(lines)


def test_a_sound_configuration_needs_no_advice() -> None:
    assert advice({}) == []


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOPE", raising=False)
    assert "NOPE" in advice({"api": {"apiKey": "${NOPE}"}})[0]
    monkeypatch.setenv("NOPE", "CANARY")
    assert advice({"api": {"apiKey": "${NOPE}"}}) == []


PROVIDER = """
from nanobot import hookimpl
from nanobot.specs import ProviderSpec

@hookimpl
def nanobot_providers():
    return [
        ProviderSpec(
            name="last", factory="x:y", needs_key=False, last_resort=True, default_model="m"
        )
    ]
"""


def test_the_first_answer_comes_with_the_advice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a user sees who starts the agent with a file that has problems."""
    metadata = tmp_path / "site" / "nanobot_provider_last-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Name: nanobot-provider-last\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text("[nanobot.v1.providers]\nlast = nanobot_last\n")
    (tmp_path / "site" / "nanobot_last.py").write_text(PROVIDER)
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("NANOBOT_PLUGINS", "providers.last")
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"channels": {"telgram": {}}, "api": {"host": "0.0.0.0"}}))
    path.chmod(0o600)

    async def notices() -> tuple[str, ...]:
        async with Nanobot.from_config(path, workspace=tmp_path / "workspace") as bot:
            return bot.notices

    said = run(notices())
    assert "channels.telgram: there is no plugin of this name; did you mean telegram?" in said
    assert "api.host: is open to other machines: set apiKey, or use 127.0.0.1" in said
