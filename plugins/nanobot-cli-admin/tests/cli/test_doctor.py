"""`nanobot doctor`: all findings at once, each with its remedy, whatever is broken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def acme(plugin_dir: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    plugin_dir.add("providers.acme")
    monkeypatch.setenv("ACME_API_KEY", "sk-acme-123456")
    return plugin_dir


def findings(nanobot: Any, area: str, status: int = 0) -> list[dict[str, str]]:
    report = json.loads(nanobot("doctor", "--json", status=status).stdout)
    return [finding for finding in report["findings"] if finding["area"] == area]


def test_a_healthy_instance(nanobot: Any, acme: Any) -> None:
    nanobot("onboard")
    text = nanobot("doctor").stdout
    assert "0 errors, 0 warnings." in text
    assert "acme/acme-1 answers: ACME_API_KEY is set" in text
    assert "sk-acme" not in text


def test_who_may_use_what(nanobot: Any, acme: Any) -> None:
    acme.add("tools.dice")
    nanobot("onboard")
    told = {each["path"]: each["message"] for each in findings(nanobot, "roles")}
    assert told["guest"] == "may use /help, dice_roll" and "/new" in told["user"]


def test_every_kind_of_broken_plugin(nanobot: Any, acme: Any, config: Any) -> None:
    acme.add("tools.dice")
    acme.add("tools.syntax", "def (:\n")
    acme.add("tools.sdk", "import acme_sdk\n")
    acme.add("tools.exits", "import sys\nsys.exit(2)\n")
    acme.add("tools.later", api=2)
    acme.add("tools.newer", requires="nanobot-core>=7")
    acme.add("tools.twin")
    acme.add("tools.twin", distribution="acme-twin")
    acme.add("tools.wrong")
    config({"tools": {"wrong": {"sidez": 3}}, "plugins": {}})
    found = {f["path"]: f for f in findings(nanobot, "plugins", status=1)}
    for plugin, words in {
        "tools.syntax": "SyntaxError",
        "tools.sdk": "module 'acme_sdk' is not installed",
        "tools.exits": "it called sys.exit(2)",
        "tools.later": "API v2",
        "tools.newer": "nanobot-core >=7",
        "tools.twin": "both provide tools.twin",
        "tools.wrong": "its section is not valid",
    }.items():
        assert words in found[plugin]["message"]
        assert "nanobot" in found[plugin]["message"] + found[plugin]["remedy"]
    assert "tools.dice" not in found and "providers.acme" not in found
    [finding] = findings(nanobot, "configuration", status=1)
    assert finding["path"] == "tools.wrong.sidez" and "did you mean sides?" in finding["remedy"]
    [model] = findings(nanobot, "model", status=1)
    assert model["severity"] == "info" and "acme/acme-1" in model["message"]


def test_one_that_failed_in_an_earlier_run(nanobot: Any, acme: Any, home: Path) -> None:
    acme.add("tools.dice")
    verdict = {"version": "1.0", "state": "failed", "reason": "its factory did not open in 30 s"}
    path = home / ".nanobot" / "plugins.json"
    path.parent.mkdir(mode=0o700)
    path.write_text(json.dumps({"tools.dice@nanobot-tool-dice": verdict}))
    [finding] = findings(nanobot, "plugins", status=1)
    assert "is failed: its factory did not open" in finding["message"]
    assert "nanobot plugins check tools.dice" in finding["remedy"]


def test_what_was_put_right_is_not_blamed(nanobot: Any, acme: Any, home: Path) -> None:
    acme.add("tools.dice")
    verdict = {"version": "1.0", "state": "broken", "reason": "module 'x' is not installed"}
    path = home / ".nanobot" / "plugins.json"
    path.parent.mkdir(mode=0o700)
    path.write_text(json.dumps({"tools.dice@nanobot-tool-dice": verdict}))
    assert findings(nanobot, "plugins") == []
    assert json.loads(path.read_text()) == {}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "the file is empty"),
        ("{,}", "line 1"),
        ("[]", "should be an object, found a list"),
        ('{"a": 1, "a": 2}', "the same key twice"),
    ],
)
def test_a_file_that_is_no_configuration(
    nanobot: Any, acme: Any, config: Any, content: str, words: str
) -> None:
    path = config(content)
    acme.add("tools.bad", "raise ValueError('no luck')\n")
    [finding] = findings(nanobot, "configuration", status=1)
    assert finding["severity"] == "error"
    assert words in finding["message"] and str(path) in finding["message"]
    assert "no luck" in findings(nanobot, "plugins", status=1)[0]["message"]
    assert "not checked" in findings(nanobot, "model", status=1)[0]["message"]
    assert path.read_text() == content


def test_errors_of_the_core_and_of_sections_at_once(nanobot: Any, acme: Any, config: Any) -> None:
    acme.add("tools.dice")
    config(
        {
            "agents": {"defaults": {"maxTokens": "many", "temperature": 9}},
            "tools": {"dice": {"sides": "x"}, "restrictToWorkspace": None},
            "providers": {"acme": {"apiKey": 5}},
            "channels": {"telegramm": {"enabled": True}},
        }
    )
    paths = {finding["path"]: finding for finding in findings(nanobot, "configuration", status=1)}
    assert set(paths) >= {
        "agents.defaults.maxTokens",
        "agents.defaults.temperature",
        "tools.restrictToWorkspace",
        "tools.dice.sides",
        "providers.acme.apiKey",
        "channels.telegramm",
    }
    assert "did you mean telegram?" in paths["channels.telegramm"]["remedy"]


def test_a_key_in_both_spellings(nanobot: Any, acme: Any, config: Any) -> None:
    config({"agents": {"defaults": {"maxTokens": 5, "max_tokens": 6, "temperature": 9}}})
    messages = [finding["message"] for finding in findings(nanobot, "configuration", status=1)]
    assert any("both spellings" in message for message in messages) and len(messages) == 2


def test_a_missing_key_and_its_remedy(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("providers.acme")
    config({"agents": {"defaults": {"provider": "acme"}}})
    [finding] = findings(nanobot, "model", status=1)
    assert "acme/acme-1: its provider is not set (ACME_API_KEY)" in finding["message"]
    assert "nanobot config set providers.acme.apiKey KEY" in finding["remedy"]


def test_a_fallback_without_key(nanobot: Any, acme: Any, config: Any) -> None:
    acme.add("providers.zenith")
    config(
        {
            "agents": {"defaults": {"fallbackModels": ["deep"]}},
            "modelPresets": {"deep": {"model": "z", "provider": "zenith"}},
        }
    )
    places = {f["path"]: f["severity"] for f in findings(nanobot, "model", status=1)}
    assert places == {"model": "info", "fallback 1": "error", "preset deep": "error"}


def test_a_provider_that_is_not_installed(nanobot: Any, acme: Any, config: Any) -> None:
    config({"agents": {"defaults": {"provider": "faraway", "model": "m"}}})
    [finding] = findings(nanobot, "model", status=1)
    assert "pip install nanobot-provider-faraway" in finding["remedy"]


def test_files_that_others_can_read(nanobot: Any, acme: Any, config: Any) -> None:
    path = config({})
    path.chmod(0o644)
    path.parent.chmod(0o755)
    [finding] = findings(nanobot, "configuration")
    assert "0644" in finding["message"]
    [finding] = findings(nanobot, "files")
    assert finding["remedy"] == f"chmod 700 {path.parent}"


def test_a_workspace_that_is_a_file(nanobot: Any, acme: Any, config: Any, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    config({"agents": {"defaults": {"workspace": str(file)}}})
    [finding] = findings(nanobot, "files", status=1)
    assert finding["path"] == str(file) and "is no folder" in finding["message"]
    config({"agents": {"defaults": {"workspace": str(file / "deeper")}}})
    [finding] = findings(nanobot, "files", status=1)
    assert finding["path"] == str(file)


def test_a_home_folder_that_does_not_exist(nanobot: Any, acme: Any, config: Any) -> None:
    config({"agents": {"defaults": {"workspace": "~no_such_user_here/x"}}})
    [finding] = findings(nanobot, "files", status=1)
    assert "agents.defaults.workspace" in finding["message"]


def test_a_shell_without_a_sandbox(nanobot: Any, acme: Any, config: Any) -> None:
    acme.add("tools.shell")
    config({})
    [finding] = findings(nanobot, "tools")
    assert (finding["path"], finding["severity"]) == ("tools.shell", "info")
    assert "no sandbox is installed" in finding["message"]
    config({"tools": {"shell": {"enabled": False}}})
    assert findings(nanobot, "tools") == []


def test_it_never_waits_for_a_plugin(
    nanobot: Any, acme: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from nanobot_cli_admin import check

    monkeypatch.setattr(check, "DEADLINE_S", 1.5)
    acme.add("tools.slow", "import threading\nthreading.Event().wait()\n")
    found = {f["path"]: f["message"] for f in findings(nanobot, "plugins", status=1)}
    assert "did not come to an end within 1.5 s" in found["tools.slow"]
