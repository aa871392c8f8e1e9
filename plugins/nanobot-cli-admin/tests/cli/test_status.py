"""`nanobot status`: which model answers and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

LOCAL = """
from nanobot import hookimpl
from nanobot.specs import ProviderSpec


@hookimpl
def nanobot_providers():
    return [
        ProviderSpec(
            name="{name}",
            factory="os:getcwd",
            needs_key=False,
            probe_url="http://127.0.0.1:9/v1",
        )
    ]
"""


@pytest.fixture
def vendors(plugin_dir: Any) -> Any:
    plugin_dir.add("providers.acme")
    plugin_dir.add("providers.zenith")
    return plugin_dir


def facts(nanobot: Any, *arguments: str, status: int = 0) -> Any:
    return json.loads(nanobot("status", "--json", *arguments, status=status).stdout)


def test_a_key_in_the_environment(
    nanobot: Any, vendors: Any, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-acme-123456")
    result = nanobot("status")
    assert "✗ config     " in result.stdout and "defaults apply" in result.stdout
    assert "✓ model      acme/acme-1: ACME_API_KEY is set" in result.stdout
    assert "✓ acme    key from ACME_API_KEY" in result.stdout
    assert "✗ zenith  not set (ZENITH_API_KEY)" in result.stdout
    assert result.stdout.rstrip().endswith("Next: nanobot onboard")
    assert "sk-acme" not in result.output
    assert not (home / ".nanobot" / "workspace").exists()


def test_a_key_in_the_configuration(nanobot: Any, vendors: Any, config: Any) -> None:
    path = config({"providers": {"zenith": {"apiKey": "sk-z-12345678", "apiBase": "http://h/v1"}}})
    found = facts(nanobot)
    assert found["model"] == {
        "name": "zenith/zenith-1",
        "reason": "providers.zenith is configured",
    }
    assert found["config"] == {"path": str(path), "exists": True}
    states = {p["name"]: p for p in found["providers"]}
    assert states["zenith"] == {"name": "zenith", "ready": True, "state": "key set, http://h/v1"}
    assert not states["acme"]["ready"]
    assert found["next"] == 'nanobot agent -m "Hello!"'
    assert "sk-z" not in json.dumps(found)


def test_a_key_by_reference(
    nanobot: Any, vendors: Any, config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    config({"providers": {"acme": {"apiKey": "${MY_KEY}"}}})
    assert "MY_KEY is not set" in json.dumps(facts(nanobot, status=1))
    monkeypatch.setenv("MY_KEY", "sk-mine-123456")
    states = {p["name"]: p["state"] for p in facts(nanobot)["providers"]}
    assert states["acme"] == "key from MY_KEY"


def test_presets_and_fallbacks(nanobot: Any, vendors: Any, config: Any) -> None:
    config(
        {
            "agents": {
                "defaults": {"modelPreset": "fast", "fallbackModels": ["deep"]},
            },
            "modelPresets": {
                "fast": {"model": "a-1", "provider": "acme"},
                "deep": {"model": "z-9", "provider": "zenith"},
            },
            "providers": {"acme": {"apiKey": "k" * 8}, "zenith": {"apiKey": "k" * 8}},
        }
    )
    found = facts(nanobot)
    assert found["model"]["name"] == "acme/a-1"
    assert found["fallbacks"] == ["zenith/z-9"]
    assert found["presets"] == {"fast": "acme/a-1", "deep": "zenith/z-9"}
    text = nanobot("status").stdout
    assert "  fallback   zenith/z-9\n" in text and "  preset     fast: acme/a-1\n" in text


def test_no_key_for_the_provider_that_is_named(nanobot: Any, vendors: Any, config: Any) -> None:
    config({"agents": {"defaults": {"provider": "acme"}}})
    result = nanobot("status", status=1)
    assert "✗ model" in result.stdout
    assert "not set (ACME_API_KEY)" in result.stderr
    assert "nanobot config set providers.acme.apiKey KEY" in result.stderr
    assert "Next: nanobot doctor" in result.stdout


def test_a_provider_that_is_not_installed(nanobot: Any, vendors: Any, config: Any) -> None:
    config({"agents": {"defaults": {"provider": "faraway", "model": "m"}}})
    result = nanobot("status", status=1)
    assert "pip install nanobot-provider-faraway" in result.stderr
    assert "✗ acme" in result.stdout


def test_no_provider_at_all(nanobot: Any, plugin_dir: Any) -> None:
    result = nanobot("status", status=1)
    assert "none can be asked" in result.stdout
    assert "pip install nanobot-bundle-standard" in result.stderr


def test_a_local_server_shows_its_address(nanobot: Any, vendors: Any) -> None:
    vendors.add("providers.local", LOCAL)
    text = nanobot("status", status=1).stdout
    assert "local server, http://127.0.0.1:9/v1" in text


@pytest.mark.parametrize("content", ["{", '{"agents": {"defaults": {"maxTokens": "many"}}}'])
def test_a_configuration_that_can_not_be_used(
    nanobot: Any, vendors: Any, config: Any, content: str
) -> None:
    path = config(content)
    found = facts(nanobot, status=1)
    assert str(path) in found["error"] and found["model"] is None
    result = nanobot("status", status=1)
    assert str(path) in result.stderr and "Next: nanobot doctor" in result.stdout


def test_broken_plugins_are_counted_and_the_others_serve(
    nanobot: Any, vendors: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-acme-123456")
    vendors.add("tools.bad", "import sys\nsys.exit(1)\n")
    vendors.add("tools.worse", "import acme_sdk\n")
    found = facts(nanobot)
    assert found["model"]["name"] == "acme/acme-1"
    assert found["plugins"]["not_usable"] == ["tools.bad", "tools.worse"]
    assert found["plugins"]["states"]["broken"] == 2
    assert found["next"] == "nanobot doctor"


def test_a_password_in_an_address_is_masked(nanobot: Any, vendors: Any, config: Any) -> None:
    base = "http://me:hunter22@host/v1"
    config({"providers": {"acme": {"apiKey": "k" * 8, "apiBase": base}, "own": {"apiBase": base}}})
    result = nanobot("status")
    assert "host/v1" in result.stdout and "hunter22" not in result.output


def test_another_workspace(
    nanobot: Any, vendors: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_API_KEY", "sk-acme-123456")
    found = facts(nanobot, "-w", str(tmp_path))
    assert found["workspace"] == {"path": str(tmp_path), "exists": True}
