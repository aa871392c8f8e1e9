"""`nanobot plugins enable` and `disable`."""

from __future__ import annotations

import json
from typing import Any

import pytest


def test_off_and_on_again(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    plugin_dir.free()
    path = config({"tools": {"dice": {"sides": 20}}, "unknown": {"kept": 1}})
    assert nanobot("plugins", "disable", "dice").stdout == "tools.dice is disabled.\n"
    data = json.loads(path.read_text())
    assert data["plugins"]["disabled"] == ["tools.dice"]
    assert data["tools"]["dice"] == {"sides": 20} and data["unknown"] == {"kept": 1}
    assert nanobot("plugins", "enable", "nanobot-tool-dice").stdout == "tools.dice is enabled.\n"
    data = json.loads(path.read_text())
    assert data["plugins"]["disabled"] == []
    assert data["tools"]["dice"] == {"sides": 20} and data["unknown"] == {"kept": 1}


def test_twice_is_once(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    path = config({"plugins": {"disabled": ["tools.other"]}})
    nanobot("plugins", "disable", "dice")
    once = path.read_text()
    nanobot("plugins", "disable", "dice")
    assert path.read_text() == once
    assert json.loads(once)["plugins"]["disabled"] == ["tools.other", "tools.dice"]


def test_without_a_configuration(nanobot: Any, plugin_dir: Any, home: Any) -> None:
    plugin_dir.add("tools.dice")
    nanobot("plugins", "disable", "dice")
    path = home / ".nanobot" / "config.json"
    assert json.loads(path.read_text()) == {"plugins": {"disabled": ["tools.dice"]}}
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    "document",
    [
        {"plugins": {"disabled": ["tools.luckyDice"]}},
        {"tools": {"luckyDice": {"enabled": False, "sides": 20}}},
        {"tools": {"lucky_dice": {"enable": False}}},
        {"plugins": {"mode": "allowlist", "allow": ["tools.files"]}},
        {
            "plugins": {"mode": "allowlist", "disabled": ["tools.lucky_dice"]},
            "tools": {"luckyDice": {"enabled": False}},
        },
    ],
)
def test_whatever_keeps_it_off_is_undone(
    nanobot: Any, plugin_dir: Any, config: Any, document: Any
) -> None:
    plugin_dir.add("tools.lucky_dice")
    plugin_dir.free()
    config(document)
    assert nanobot("plugins", "enable", "lucky_dice").stdout == "tools.lucky_dice is enabled.\n"


def test_a_section_elsewhere(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    source = """
from nanobot import hookimpl
from nanobot.specs import ToolSpec


@hookimpl
def nanobot_tools():
    return [ToolSpec(name="{name}", factory="os:getcwd", section="transcription")]
"""
    plugin_dir.add("tools.voice", source)
    plugin_dir.free()
    path = config({"transcription": {"enabled": False}})
    nanobot("plugins", "enable", "tools.voice")
    assert json.loads(path.read_text())["transcription"] == {"enabled": True}


def test_what_only_the_environment_keeps_off(
    nanobot: Any, plugin_dir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    plugin_dir.add("tools.dice")
    monkeypatch.setenv("NANOBOT_PLUGINS", "none")
    result = nanobot("plugins", "enable", "dice", status=1)
    assert "tools.dice is disabled." in result.stdout and "NANOBOT_PLUGINS" in result.stdout


def test_a_command_has_no_switch(nanobot: Any, plugin_dir: Any) -> None:
    plugin_dir.add("cli.draw", "")
    result = nanobot("plugins", "disable", "cli.draw", status=1)
    assert "pip uninstall nanobot-cli-draw" in result.stderr


def test_a_broken_configuration_is_left_alone(nanobot: Any, plugin_dir: Any, config: Any) -> None:
    plugin_dir.add("tools.dice")
    path = config('{"plugins": }')
    result = nanobot("plugins", "disable", "dice", status=1)
    assert str(path) in result.stderr and "line 1" in result.stderr
    assert path.read_text() == '{"plugins": }'
