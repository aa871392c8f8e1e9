"""`nanobot models`: what vendors offer, and who answers for a model."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from nanobot_cli_admin import catalogue

GOOD = "acme-key-good-123"


@pytest.fixture
def acme(vendor: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("ACME_API_KEY", GOOD)
    return vendor("acme")


def listed(nanobot: Any, *arguments: str, status: int = 0) -> dict[str, Any]:
    found = json.loads(nanobot("models", "list", "--json", *arguments, status=status).stdout)
    return {offer["provider"]: offer for offer in found}


def test_what_is_offered(nanobot: Any, acme: Any) -> None:
    result = nanobot("models", "list")
    assert result.stdout == "✓ acme: 2 models\n  acme-1  32,000 tokens\n  acme-2\n"
    assert GOOD not in result.output


def test_only_those_that_are_set_up_are_asked(nanobot: Any, acme: Any, vendor: Any) -> None:
    idle = vendor("idle")
    assert list(listed(nanobot)) == ["acme"]
    assert acme() == [GOOD] and idle() == []


def test_the_answer_is_kept_for_an_hour(
    nanobot: Any, acme: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = listed(nanobot)
    assert first["acme"]["models"][0] == {"id": "acme-1", "contextWindow": 32000}
    assert listed(nanobot) == first and len(acme()) == 1
    listed(nanobot, "--refresh")
    assert len(acme()) == 2
    now = time.time()
    monkeypatch.setattr(catalogue.time, "time", lambda: now + 3700)
    listed(nanobot)
    assert len(acme()) == 3
    [kept] = (home / ".nanobot" / "plugins" / "cli.models").iterdir()
    assert kept.stat().st_mode & 0o077 == 0


def test_a_change_of_the_configuration_makes_it_ask_anew(
    nanobot: Any, acme: Any, config: Any
) -> None:
    listed(nanobot)
    path = config({})
    os.utime(path, (time.time() + 60, time.time() + 60))
    listed(nanobot)
    assert len(acme()) == 2


@pytest.mark.parametrize("text", ["", "{", "[]", '{"acme": 5}', '{"acme": ["x", []]}'])
def test_a_damaged_memory_is_no_memory(nanobot: Any, acme: Any, home: Path, text: str) -> None:
    kept = home / ".nanobot" / "plugins" / "cli.models" / "models.json"
    kept.parent.mkdir(parents=True)
    kept.write_text(text)
    assert len(listed(nanobot)["acme"]["models"]) == 2


def test_a_vendor_that_fails_is_a_line_with_its_reason(
    nanobot: Any, acme: Any, vendor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalogue, "DEADLINE_S", 0.2)
    for name in ("bad", "hang", "odd"):
        vendor(name)
        monkeypatch.setenv(f"{name.upper()}_API_KEY", f"{name}-secret-123")
    lines = nanobot("models", "list").stdout.splitlines()
    assert "✗ bad: HTTP 4xx: bad ***" in lines
    assert "✗ hang: did not answer within 0.2 s" in lines
    assert any(line.startswith("✗ odd: KeyError") for line in lines)
    assert "✓ acme: 2 models" in lines and "secret" not in "".join(lines)
    nanobot("models", "list")
    assert len(acme()) == 1, "what is known is not asked again for the sake of the others"


def test_one_that_is_named(nanobot: Any, acme: Any, vendor: Any) -> None:
    vendor("zenith")
    offer = listed(nanobot, "--provider", "zenith", status=1)["zenith"]
    assert offer["problem"] == "not set (ZENITH_API_KEY)" and not acme()
    result = nanobot("models", "list", "-p", "nobody", status=1)
    assert "pip install nanobot-provider-nobody" in result.stderr


def test_a_vendor_without_a_list(
    nanobot: Any, plugin_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_dir.add("providers.acme")
    monkeypatch.setenv("ACME_API_KEY", GOOD)
    assert "✗ acme: offers no list" in nanobot("models", "list", status=1).stdout


def test_nobody_is_set_up(nanobot: Any, vendor: Any) -> None:
    vendor("acme")
    assert "no vendor is set up" in nanobot("models", "list", status=1).stderr


def test_a_section_of_any_name_is_listed_by_the_vendor_at_its_address(
    nanobot: Any, vendor: Any, config: Any
) -> None:
    acme = vendor("acme")
    config({"providers": {"work": {"apiKey": GOOD, "apiBase": "https://api.acme.example/v1"}}})
    assert list(listed(nanobot)) == ["work"] and acme() == [GOOD]


# --- route --------------------------------------------------------------------------------------


def test_who_answers_and_why(nanobot: Any, acme: Any, vendor: Any) -> None:
    vendor("zenith")
    result = nanobot("models", "route", "acme-ultra")
    assert result.stdout == "acme/acme-ultra: the model's name contains 'acme'\n"
    route = json.loads(nanobot("models", "route", "acme/x", "--json").stdout)
    assert (route["provider"], route["model"], route["problem"]) == ("acme", "x", "")
    assert acme() == [], "nobody is asked"


def test_nobody_answers(nanobot: Any, acme: Any, vendor: Any) -> None:
    vendor("zenith")
    result = nanobot("models", "route", "zenith/x", status=1)
    assert "provider 'zenith' has no key" in result.stderr and "ZENITH_API_KEY" in result.stderr
    result = nanobot("models", "route", "x", "--provider", "zenith", status=1)
    assert result.stdout == "zenith/x: the configuration names it\n"
    assert "not set (ZENITH_API_KEY)" in result.stderr


def test_a_key_in_the_wrong_place(nanobot: Any, vendor: Any, config: Any) -> None:
    for name in ("acme", "zenith"):
        vendor(name)
    config({"providers": {"zenith": {"apiKey": GOOD}}})
    text = nanobot("models", "route", "acme-ultra").stdout
    assert text.startswith("acme/acme-ultra: ") and "its place is providers.acme.apiKey" in text
    found = json.loads(nanobot("status", "--json").stdout)
    states = {p["name"]: p["state"] for p in found["providers"]}
    assert states["zenith"] == "not set: its key is one of The acme"
    assert found["model"]["name"] == "acme/acme-1" and not found["error"]
