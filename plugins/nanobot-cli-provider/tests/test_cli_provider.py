"""Signing in and out from the command line."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

FILE = ".nanobot/plugins/providers.acme_plan/login.json"


def test_signing_in_with_a_code(acme: Any, nanobot: Any, home: Path) -> None:
    acme.device_answers.extend(["authorization_pending"])
    shown = nanobot("login", "acme-plan", "--device")
    assert "ABCD-1234" in shown.stderr and f"{acme.base_url}/activate" in shown.stderr
    assert "Signed in with The acme_plan." in shown.stdout
    assert "nanobot config set agents.defaults.model acme_plan/acme_plan-1" in shown.stdout
    path = home / FILE
    assert path.stat().st_mode & 0o777 == 0o600 and str(path) in shown.stdout
    assert json.loads(path.read_text())["tokens"]["access"] in acme.access
    assert "CANARY" not in shown.output


@pytest.mark.parametrize("spelling", ["acme_plan", "acmePlan", "ACME-PLAN"])
def test_a_name_may_be_spelled_in_any_way(
    acme: Any, nanobot: Any, home: Path, spelling: str
) -> None:
    nanobot("login", spelling, "--device")
    assert (home / FILE).exists()


def test_signing_in_with_a_browser(
    acme: Any, nanobot: Any, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    visits: list[threading.Thread] = []

    def visit(address: str) -> bool:
        target = acme.agree(address)
        visits.append(threading.Thread(target=lambda: urlopen(target).close()))
        visits[-1].start()
        return True

    monkeypatch.setattr("webbrowser.open", visit)
    monkeypatch.setenv("DISPLAY", ":0")
    shown = nanobot("login", "acme-plan")
    visits[0].join()
    assert "/authorize?" in shown.stderr and "Signed in" in shown.stdout
    assert (home / FILE).exists()


def test_no_browser_is_opened_where_there_is_none(
    acme: Any, nanobot: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(address: str) -> bool:
        raise AssertionError("a browser was opened")

    monkeypatch.setattr("webbrowser.open", fail)
    nanobot("login", "acme-plan", "--device")
    monkeypatch.setenv("DISPLAY", ":0")
    nanobot("login", "acme-plan", "--device", "--no-open")


def test_an_address_that_was_pasted_wrongly(acme: Any, nanobot: Any, home: Path) -> None:
    shown = nanobot("login", "acme-plan", "--paste", stdin="http://x/?code=a&state=b\n", status=1)
    assert "does not belong to this sign-in" in shown.stderr
    assert "nanobot provider login acme-plan" in shown.stderr
    assert not (home / FILE).exists()


def test_a_user_who_declines_keeps_the_old_login(acme: Any, nanobot: Any, home: Path) -> None:
    nanobot("login", "acme-plan", "--device")
    before = (home / FILE).read_bytes()
    acme.device_answers.append("access_denied")
    shown = nanobot("login", "acme-plan", "--device", status=1)
    assert "declined" in shown.stderr and "Traceback" not in shown.output
    assert (home / FILE).read_bytes() == before


def test_signing_out(acme: Any, nanobot: Any, home: Path) -> None:
    nanobot("login", "acme-plan", "--device")
    assert "Signed out of The acme_plan." in nanobot("logout", "acme-plan").stdout
    assert not (home / FILE).exists()
    assert "Nobody was signed in" in nanobot("logout", "acme-plan").stdout


def test_the_list(acme: Any, install: Any, nanobot: Any, config: Any) -> None:
    install("plain")
    install("other", issuer="https://x.example", client_id="a", token_path="/t", device_path="/d")
    shown = nanobot("list").stdout.splitlines()
    assert shown == [
        "acme_plan  signed out; nanobot provider login acme-plan",
        "other      signed out; nanobot provider login other",
    ]
    nanobot("login", "acme-plan", "--device")
    config({"providers": {"other": {"apiKey": "sk-CANARY-0123"}}})
    shown = nanobot("status").stdout
    assert "acme_plan  signed in\n" in shown and "other      a key of the config" in shown
    first, second = json.loads(nanobot("list", "--json").stdout)
    assert first["signed_in"] and first["renews"] and first["expires_at"] > 1.7e9
    assert second["key"] and not second["signed_in"] and "CANARY" not in str(second)


def test_a_login_that_can_not_be_renewed(acme: Any, nanobot: Any, home: Path) -> None:
    nanobot("login", "acme-plan", "--device")
    path = home / FILE
    data = json.loads(path.read_text())
    data["tokens"].update(refresh="", expires_at=1_800_000_000)
    path.write_text(json.dumps(data))
    assert "signed in until 2027-01-15 08:00 UTC" in nanobot("list").stdout


def test_without_providers(install: Any, nanobot: Any) -> None:
    assert "No installed provider has a login" in nanobot("list").stdout


def test_the_configuration_has_a_say(acme: Any, nanobot: Any, config: Any, home: Path) -> None:
    acme.client_id = "another-client"
    nanobot("login", "acme-plan", "--device", status=1)
    config({"providers": {"acmePlan": {"clientId": "another-client"}}})
    nanobot("login", "acme-plan", "--device")
    assert json.loads((home / FILE).read_text())["owner"]["client"] == "another-client"
    config({"providers": {"acmePlan": {"issuer": "http://issuer.example"}}})
    assert "providers.acmePlan.issuer" in nanobot("login", "acme-plan", status=1).stderr


def test_another_instance_has_logins_of_its_own(acme: Any, nanobot: Any, tmp_path: Path) -> None:
    path = tmp_path / "second" / "config.json"
    nanobot("login", "acme-plan", "--device", "-c", str(path))
    assert (path.parent / "plugins/providers.acme_plan/login.json").exists()
    assert "signed out" in nanobot("list").stdout


BROKEN = "raise RuntimeError('no {name}')"


@pytest.mark.parametrize(
    ("name", "arguments", "words", "remedy"),
    [
        ("nothing", (), "not installed", "pip install nanobot-provider-nothing"),
        ("plain", (), "has no login", "nanobot config set providers.plain.apiKey KEY"),
        ("broken", (), "is broken", "nanobot plugins check providers.broken"),
        ("coded", ("--browser",), "no such sign-in", "--device"),
    ],
)
def test_what_can_not_be_signed_in_says_why(
    install: Any, nanobot: Any, name: str, arguments: tuple[str, ...], words: str, remedy: str
) -> None:
    install("plain")
    install("broken", BROKEN)
    install("coded", issuer="https://x.example", client_id="a", token_path="/t", device_path="/d")
    shown = nanobot("login", name, *arguments, status=1)
    assert words in shown.stderr and remedy in shown.stderr


def test_no_other_vendor_is_imported(acme: Any, install: Any, nanobot: Any) -> None:
    install("plain")
    nanobot("logout", "acme-plan")
    assert "nanobot_provider_plain" not in sys.modules
    assert "nanobot_provider_acme_plan" in sys.modules


def test_help_imports_nothing_of_it() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from nanobot._cli.main import cli;"
        "CliRunner().invoke(cli, ['--help']); print([n for n in sys.modules if 'oauth' in n])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
