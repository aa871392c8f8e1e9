"""`nanobot doctor --online`: what each model says to its key, and logins."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from nanobot.admin import judge, load, policy, scan
from nanobot.engine import ModelChoice
from nanobot.findings import Finding
from nanobot_cli_admin import online
from nanobot_cli_admin.loading import load_plugins
from nanobot_cli_admin.survey import survey

LOGIN = """
from nanobot import hookimpl
from nanobot.specs import ProviderSpec


@hookimpl
def nanobot_providers():
    return [
        ProviderSpec(
            name="{name}",
            factory="must_not_be_imported:open_provider",
            default_model="m",
            needs_key=False,
            options={{"login": object()}},
        )
    ]
"""


@pytest.fixture
def tried(config: Any) -> Callable[..., list[Finding]]:
    """Return a function that tries out what a configuration names."""

    def run(document: dict[str, Any]) -> list[Finding]:
        loaded_config = load(config(document))
        plugins = load_plugins(judge(scan(), policy(loaded_config.effective, os.environ)))

        async def go() -> list[Finding]:
            found = await survey(loaded_config, plugins, os.environ)
            choices: Sequence[ModelChoice] = [c for made in found.presets.values() for c in made]
            return await online.try_out(loaded_config, plugins, os.environ, choices)

        return asyncio.run(go())

    return run


def instance(*keys: str) -> dict[str, Any]:
    """Return a configuration whose vendor has these keys."""
    return {
        "agents": {"defaults": {"model": "acme/acme-1"}},
        "providers": {"acme": {"apiKeys": [f"acme-key-{key}" for key in keys]}},
    }


def test_every_key_is_tried_once(vendor: Any, tried: Any) -> None:
    acme = vendor("acme")
    document = instance("one", "two")
    document["modelPresets"] = {"same": {"model": "acme/acme-1"}, "deep": {"model": "acme/deep"}}
    document["agents"]["defaults"]["fallbackModels"] = ["same"]
    found = tried(document)
    assert sorted(acme()) == ["acme-key-one"] * 2 + ["acme-key-two"] * 2, "for each of two models"
    assert {f.severity for f in found} == {"info"}
    assert all("answered in" in f.message for f in found)
    assert {f.path for f in found} == {"acme", "acme#2"}


@pytest.mark.parametrize(
    ("key", "severity", "words"),
    [
        ("bad", "error", "its key is refused: HTTP 4xx: bad ***"),
        ("poor", "error", "its account has no credit left"),
        ("busy", "warning", "it limits the requests at the moment"),
        ("odd", "error", "it can not be asked: KeyError"),
        ("endless", "error", "does not answer as it should: the answer has no end"),
        ("hang", "error", "it says nothing: nothing came within 0.2 s"),
    ],
)
def test_what_is_wrong_is_said_in_words(
    vendor: Any,
    tried: Any,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    severity: str,
    words: str,
) -> None:
    monkeypatch.setattr(online, "DEADLINE_S", 0.2)
    vendor("acme")
    [finding] = tried(instance(key))
    assert finding.severity == severity and words in finding.message
    assert finding.message.startswith("acme/acme-1: ")
    assert f"acme-key-{key}" not in str(finding)
    assert finding.remedy or key == "odd"


def test_the_doctor_asks_when_it_is_told_to(nanobot: Any, vendor: Any, config: Any) -> None:
    acme = vendor("acme")
    config(instance("bad"))
    report = json.loads(nanobot("doctor", "--online", "--json", status=1).stdout)
    [finding] = [f for f in report["findings"] if f["path"] == "acme"]
    assert finding["area"] == "model" and "its key is refused" in finding["message"]
    assert acme() == ["acme-key-bad"]


# --- logins -----------------------------------------------------------------------------------


def test_a_login_that_is_not_made_is_not_ready(
    nanobot: Any, plugin_dir: Any, config: Any, home: Path
) -> None:
    plugin_dir.add("providers.acme_plan", LOGIN)
    config({"agents": {"defaults": {"provider": "acmePlan"}}})
    result = nanobot("status", status=1)
    assert "✗ acme_plan  signed out: nanobot provider login acme-plan" in result.stdout
    assert "its provider is signed out: nanobot provider login acme-plan" in result.stderr
    tokens = home / ".nanobot" / "plugins" / "providers.acme_plan" / "login.json"
    tokens.parent.mkdir(parents=True)
    tokens.write_text("{}")
    assert "✓ acme_plan  signed in" in nanobot("status").stdout


def test_a_key_makes_a_login_unnecessary(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("providers.acme_plan", LOGIN)
    config(
        {
            "agents": {"defaults": {"provider": "acmePlan"}},
            "providers": {"acmePlan": {"apiKey": "k" * 9}},
        }
    )
    assert "✓ acme_plan  key set" in nanobot("status").stdout
