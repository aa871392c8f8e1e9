"""`nanobot config`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


def test_path(nanobot: Any, home: Path, tmp_path: Path) -> None:
    assert nanobot("config", "path").stdout == f"{home / '.nanobot' / 'config.json'}\n"
    other = tmp_path / "other.json"
    assert nanobot("config", "path", "-c", str(other)).stdout == f"{other}\n"


@pytest.mark.parametrize(
    ("key", "shown"),
    [
        ("agents.defaults.model", "gpt-5\n"),
        ("agents.defaults.maxTokens", "8192\n"),
        ("agents.defaults.max_tokens", "8192\n"),
        ("tools.dice.sides", "6\n"),
        ("providers.acme.apiKey", "***\n"),
        ("providers.acme.displayName", "null\n"),
        ("plugins.disabled", "[]\n"),
    ],
)
def test_get(nanobot: Any, plugin_dir: Any, config: Any, key: str, shown: str) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.add("providers.acme")
    config(
        {
            "agents": {"defaults": {"model": "gpt-5"}},
            "providers": {"acme": {"apiKey": "sk-acme-123456"}},
        }
    )
    assert nanobot("config", "get", key).stdout == shown


def test_get_of_what_does_not_exist(nanobot: Any, plugin_dir: Any) -> None:
    result = nanobot("config", "get", "agents.defaults.modle", status=1)
    assert "agents.defaults.modle" in result.stderr and result.stdout == ""


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("agents.defaults.model", "gpt-5", "gpt-5"),
        ("agents.defaults.max_tokens", "100", 100),
        ("agents.defaults.temperature", "0.5", 0.5),
        ("agents.defaults.model", "null", None),
        ("tools.restrictToWorkspace", "true", True),
        ("tools.dice.sides", "20", 20),
        ("plugins.disabled", '["tools.dice"]', ["tools.dice"]),
        ("providers.acme.apiKey", "123456789", "123456789"),
        ("providers.acme.apiKey", "${ACME_KEY}", "${ACME_KEY}"),
        ("channels.mattermost.appId", "cli_a1", "cli_a1"),
    ],
)
def test_set_and_unset(
    nanobot: Any,
    plugin_dir: Any,
    config: Any,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    text: str,
    value: object,
) -> None:
    monkeypatch.setenv("ACME_KEY", "from the environment")
    plugin_dir.add("tools.dice")
    plugin_dir.add("providers.acme")
    path = config({"unknown": {"kept": 1}})
    nanobot("config", "set", key, text)
    data: Any = json.loads(path.read_text())
    assert data["unknown"] == {"kept": 1}
    for part in key.replace("max_tokens", "maxTokens").split("."):
        data = data[part]
    assert data == value and type(data) is type(value)
    nanobot("config", "unset", key)
    assert key.rpartition(".")[2] not in path.read_text()


def test_a_secret_is_not_shown_again(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("providers.acme")
    config({})
    result = nanobot("config", "set", "providers.acme.apiKey", "sk-acme-123456")
    assert "sk-acme" not in result.output and '"***"' in result.stdout
    for command in (["get", "providers.acme"], ["get", "providers"], ["check"], ["schema"]):
        assert "sk-acme" not in nanobot("config", *command).output


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("agents.defaults.maxTokens", "many", "agents.defaults.maxTokens: should be"),
        ("agents.defaults.maxTokens", "-1", "agents.defaults.maxTokens: should be"),
        ("agents.defaults.modle", "x", "unknown key; did you mean model?"),
        ("agent.defaults.model", "x", "unknown"),
        ("tools.dice.sides", "1", "tools.dice.sides: should be"),
        ("tools.dice.sidez", "3", "did you mean sides?"),
        ("tools.restrictToWorkspac", "true", "did you mean tools.restrictToWorkspace?"),
        ("agents..model", "x", "empty part"),
        ("agents.defaults.model.deeper", "x", "agents.defaults.model"),
    ],
)
def test_what_would_not_be_valid_is_not_saved(
    nanobot: Any, plugin_dir: Any, config: Any, key: str, value: str, words: str
) -> None:
    plugin_dir.add("tools.dice")
    path = config({"agents": {"defaults": {"model": "gpt-5"}}})
    before = path.read_bytes()
    result = nanobot("config", "set", key, value, status=1)
    assert words in result.stderr
    assert path.read_bytes() == before


def test_a_broken_setting_can_be_put_right(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    path = config({"agents": {"defaults": {"maxTokens": "many", "model": "gpt-5"}}, "x": {"y": 1}})
    nanobot("config", "check", status=1)
    nanobot("config", "set", "agents.defaults.maxTokens", "100")
    assert json.loads(path.read_text()) == {
        "agents": {"defaults": {"maxTokens": 100, "model": "gpt-5"}},
        "x": {"y": 1},
    }


def test_a_setting_of_a_plugin_that_is_switched_off(
    nanobot: Any, plugin_dir: Any, config: Any
) -> None:
    plugin_dir.add("tools.dice")
    config({"plugins": {"disabled": ["tools.dice"]}})
    result = nanobot("config", "set", "tools.dice.sides", "20")
    assert result.stderr == "" and "tools.dice.sides = 20" in result.stdout
    assert nanobot("config", "get", "tools.dice.sides").stdout == "20\n"


def test_schema(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.add("providers.acme")
    schema = json.loads(nanobot("config", "schema").stdout)
    assert schema["$schema"].startswith("https://json-schema.org/")
    text = json.dumps(schema)
    assert "How many sides." in text and '"acme"' in text and "maxTokens" in text


def test_check_lists_everything_at_once(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    many = {f"p{number}": {"model": 5} for number in range(15)}
    config(
        {
            "agents": {"defaults": {"maxTokens": "many", "temperature": 9, "modle": "x"}},
            "modelPresets": many,
            "tools": {"dice": {"sidez": 2}},
            "providers": {"opnai": {"apiKey": "sk-abcdef123456"}},
            "channels": {"mattermost": {"enabled": True}},
        }
    )
    result = nanobot("config", "check", status=1)
    for words in (
        "agents.defaults.maxTokens",
        "agents.defaults.temperature",
        "agents.defaults.modle",
        "did you mean sides?",
        "did you mean openai?",
        "pip install nanobot-channel-mattermost",
        *(f"modelPresets.{name}.model" for name in many),
    ):
        assert words in result.stdout
    assert "sk-abcdef" not in result.output


def test_check_of_a_good_file(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    path = config({})
    assert nanobot("config", "check").stdout == f"{path}: no problem was found\n"


def test_check_of_what_is_no_json(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    path = config('{\n "agents": {,}\n}')
    result = nanobot("config", "check", status=1)
    assert str(path) in result.stdout and "line 2" in result.stdout
